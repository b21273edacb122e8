import { printable, printableJson } from '../../log/printable.ts';
import type { OpenStoreOptions, Store } from '../../store/store.ts';
import type { CatalogueEntry } from './command-module.ts';
import { StandardOutput } from './standard-output.ts';
import type { StopSignals } from './stop-signals.ts';
import { storePath } from './store-path.ts';

/** The options that every command has. */
export interface GlobalOptions {
  readonly store?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** What a command gets to do its work with. */
export class CommandContext {
  /** Whether results are printed as JSON. */
  readonly json: boolean;
  /** Whether everything that happens is told on standard error. */
  readonly verbose: boolean;
  readonly storePath: string;
  /** All commands. */
  readonly catalogue: readonly CatalogueEntry[];
  readonly #output = new StandardOutput();
  #stopSignals: StopSignals | undefined;
  #endLog: (() => void) | undefined;

  constructor(options: GlobalOptions, catalogue: readonly CatalogueEntry[]) {
    this.catalogue = catalogue;
    this.json = options.json ?? false;
    this.verbose = options.verbose ?? false;
    this.storePath = storePath(options.store);
  }

  /** Opens the user's store; whoever calls disposes of it. @throws what `openStore` throws */
  async openStore(options: OpenStoreOptions = {}): Promise<Store> {
    const { openStore } = await import('../../store/store.ts');
    return await openStore(this.storePath, options);
  }

  /**
   * To be called before work that takes longer than a moment: from here on Ctrl-C and SIGTERM abort the signal that
   * this returns, and progress is shown on a terminal.
   */
  async startWork(): Promise<AbortSignal> {
    const { StopSignals } = await import('./stop-signals.ts');
    this.#stopSignals ??= new StopSignals();
    await this.startLog();
    return this.#stopSignals.abortSignal;
  }

  /** Sends the log to standard error. */
  async startLog(): Promise<void> {
    const { startLog } = await import('./start-log.ts');
    this.#endLog ??= startLog(this.verbose);
  }

  /** Takes down what the log has drawn. */
  endLog(): void {
    this.#endLog?.();
  }

  /**
   * Prints a result: as JSON when that was asked for, otherwise as `text` says it to people. What is long to make is
   * given as a function that makes it.
   */
  show(value: object | (() => object), text: () => string): void {
    if (this.json) this.print(toJson(typeof value === 'function' ? value() : value));
    else this.print(text());
  }

  /** Prints what is the same with and without `--json`, such as a script. */
  print(text: string): void {
    if (text !== '') this.#output.print(text);
  }

  /** Says something about the result on standard error. */
  remark(text: string): void {
    process.stderr.write(`varve: ${printable(text)}\n`);
  }

  /** The signal that stopped the work, if one did. */
  get stoppedBy(): StopSignals | undefined {
    return this.#stopSignals?.received === undefined ? undefined : this.#stopSignals;
  }
}

function toJson(value: object): string {
  return printableJson(JSON.stringify(value, null, 2));
}

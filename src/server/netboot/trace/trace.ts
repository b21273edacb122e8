import { join } from 'node:path';
import { type Log, log as usualLog } from '../../../log/log.ts';
import type { Boot } from './boot.ts';
import { BootBook } from './boot-book.ts';
import { BootScopes } from './boot-scopes.ts';
import type { Diagnosis } from './diagnose.ts';
import { journalNames } from './read-trace.ts';
import { TraceJournal } from './trace-journal.ts';
import type { TraceStep } from './trace-step.ts';

/** What is traced, and where to. */
export interface BootTraceOptions {
  /** Where steps are kept for other processes; see `traceDirectory`. */
  readonly directory: string;
  /** Whether the room names this machine; of others that only ask DHCP little is kept. */
  readonly isKnown?: ((mac: string) => boolean) | undefined;
  /** Where boots have their scopes; Varve's own log where nothing is given. */
  readonly log?: Log | undefined;
  /** Hears of each boot that has failed, once. */
  readonly onFailure?: ((boot: Boot, diagnosis: Diagnosis) => void) | undefined;
}

const strangersSize = 2 ** 18;
const sweepMs = 5000;

/**
 * Follows every boot by what all servers see of it: in the log, where each has a scope, and in a journal that
 * `varve netboot trace` reads. Memory and journal are bounded, whoever sends what.
 */
export class BootTrace implements Disposable {
  readonly #book: BootBook;
  readonly #journal: TraceJournal;
  readonly #strangers: TraceJournal;
  readonly #scopes: BootScopes;
  readonly #sweeper: NodeJS.Timeout;

  /** @throws VarveError `PERMISSION`, `NO_SPACE`, `IO` */
  constructor({ directory, isKnown, log = usualLog, onFailure }: BootTraceOptions) {
    this.#book = new BootBook({ maximumMachines: 1024, maximumBoots: 1, maximumStrangers: 256, isKnown });
    this.#journal = new TraceJournal(join(directory, journalNames.machines));
    this.#strangers = new TraceJournal(join(directory, journalNames.strangers), strangersSize);
    this.#scopes = new BootScopes(log, onFailure);
    this.#sweeper = setInterval(() => this.look(Date.now()), sweepMs).unref();
  }

  /** Takes a step that a server has seen; never throws. */
  note(step: TraceStep): void {
    const placed = this.#book.take(step);
    if (placed === undefined) return;
    (placed.isStranger ? this.#strangers : this.#journal).append(placed.step);
    if (!placed.isStranger) this.#scopes.take(placed);
  }

  /** The boot that each machine is at, those that were heard of last standing last. */
  boots(): Boot[] {
    return this.#book.boots().flatMap((boots) => boots.slice(-1));
  }

  /** Looks for boots that have come to nothing, as it does every few seconds; `nowMs` is in milliseconds since 1970. */
  look(nowMs: number): void {
    this.#scopes.look(nowMs);
  }

  /** Ends the scopes and writes what waits. */
  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#scopes[Symbol.dispose]();
    this.#journal[Symbol.dispose]();
    this.#strangers[Symbol.dispose]();
  }
}

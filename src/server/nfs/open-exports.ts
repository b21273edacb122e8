import { log } from '../../log/log.ts';
import { ExportFiles } from './export-files.ts';
import type { NfsExport, NfsExports, NfsTree } from './nfs-export.ts';

/** How many exports are kept open that nobody uses at the moment. */
const keptOpen = 16;

/** An export that is open. */
interface OpenExport {
  readonly id: Uint8Array;
  readonly files: ExportFiles;
  readonly tree: NfsTree;
  /** Requests that are under way. */
  users: number;
}

/** An export for the time of a request, which disposes of it. */
export interface UsedExport extends Disposable {
  readonly id: Uint8Array;
  readonly files: ExportFiles;
}

/** The exports that clients use: opened when the first one comes, and closed when others are used instead. */
export class OpenExports implements AsyncDisposable {
  readonly #exports: NfsExports;
  /** By id; those that were used the longest ago stand first. */
  readonly #open = new Map<string, OpenExport>();
  readonly #opening = new Map<string, Promise<OpenExport | undefined>>();
  readonly #closing = new Set<Promise<void>>();

  constructor(exports: NfsExports) {
    this.#exports = exports;
  }

  /** Undefined where there is none. @throws VarveError as opening it does */
  async use(given: NfsExport): Promise<UsedExport | undefined> {
    return this.#use(given.id, async () => given);
  }

  /** The same of one that was mounted before. */
  async useWithId(id: Uint8Array): Promise<UsedExport | undefined> {
    return this.#use(id, () => this.#exports.withId(id));
  }

  /** The same, where it is open already. Hot. */
  useOpen(id: Uint8Array): UsedExport | undefined {
    const key = keyOf(id);
    const found = this.#open.get(key);
    return found && this.#lend(key, found);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    for (const [key, { tree }] of this.#open) this.#close(key, tree);
    await Promise.all(this.#closing);
  }

  async #use(id: Uint8Array, find: () => Promise<NfsExport | undefined>): Promise<UsedExport | undefined> {
    const key = keyOf(id);
    const found = this.#open.get(key) ?? (await this.#opened(key, find));
    return found && this.#lend(key, found);
  }

  #opened(key: string, find: () => Promise<NfsExport | undefined>): Promise<OpenExport | undefined> {
    const opening = this.#opening.get(key) ?? this.#openOne(key, find).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #openOne(key: string, find: () => Promise<NfsExport | undefined>): Promise<OpenExport | undefined> {
    const found = await find();
    if (found === undefined) return undefined;
    const tree = await found.open();
    const opened = { id: found.id, tree, files: new ExportFiles(tree, found.id), users: 0 };
    this.#open.set(key, opened);
    return opened;
  }

  #lend(key: string, found: OpenExport): UsedExport {
    found.users += 1;
    // Another one may have had to go while this one was waited for.
    this.#open.delete(key);
    this.#open.set(key, found);
    return {
      id: found.id,
      files: found.files,
      [Symbol.dispose]: () => {
        found.users -= 1;
        if (this.#open.size > keptOpen) this.#closeUnused();
      },
    };
  }

  #closeUnused(): void {
    for (const [key, { tree, users }] of this.#open) {
      if (this.#open.size <= keptOpen) return;
      if (users === 0) this.#close(key, tree);
    }
  }

  #close(key: string, tree: NfsTree): void {
    this.#open.delete(key);
    const closing = Promise.resolve(tree[Symbol.asyncDispose]())
      .catch((error) => log(1, 'an export could not be closed: %s', (error as Error).message))
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}

import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import { corruptImage } from '../image-errors.ts';

/** What a cache of L2 tables reads from, and how much it may keep. */
export interface TableCacheOptions {
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
  /** An L2 table is one cluster; in bytes. */
  readonly clusterSize: number;
  /** How many tables are kept at most, at least 1; those that have changed come on top. */
  readonly capacity: number;
}

/** A table that is not in the file as it is here. */
interface ChangedTable {
  readonly table: DataView;
  /** Nothing durable refers to it yet. */
  readonly isFresh: boolean;
}

/** Keeps the L2 tables that were used last, and those that have changed. */
export class TableCache {
  readonly #options: TableCacheOptions;
  /** By offset in the file, the least recently used first. */
  readonly #tables = new Map<number, MaybePromise<DataView>>();
  readonly #changed = new Map<number, ChangedTable>();
  #capacity: number;
  #lastOffset = -1;
  #lastTable: MaybePromise<DataView> | undefined;

  constructor(options: TableCacheOptions) {
    this.#options = options;
    this.#capacity = options.capacity;
  }

  /** Keeps more tables from now on, or fewer. */
  set capacity(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many tables have changed since the last `settle`. */
  get changedCount(): number {
    return this.#changed.size;
  }

  /** Whether so many tables have changed that it is time to write them. */
  get isFull(): boolean {
    return this.#changed.size > this.#capacity;
  }

  /**
   * The table at byte `offset` of the file.
   *
   * @throws VarveError `CORRUPT` where it starts inside a cluster or ends past the end of the file
   */
  get(offset: number): MaybePromise<DataView> {
    // Hot: nearly all requests stay within the table of the last one (`bench/formats.ts`).
    if (offset === this.#lastOffset && this.#lastTable !== undefined) return this.#lastTable;
    const known = this.#changed.get(offset)?.table ?? this.#tables.get(offset);
    if (known === undefined) return this.#load(offset);
    return this.#keep(offset, known);
  }

  /** Whether a table that starts at byte `offset` of the file is here. */
  has(offset: number): boolean {
    return this.#changed.has(offset) || this.#tables.has(offset);
  }

  /** Puts a table, which nothing in the file refers to yet, where `get` finds it. */
  add(offset: number, table: DataView): void {
    this.#tables.delete(offset);
    this.#changed.set(offset, { table, isFresh: true });
    this.#remember(offset, table);
  }

  /** Says that `table`, which `get` gave for `offset`, has changed, or is about to without anything between. */
  change(offset: number, table: DataView): void {
    if (this.#changed.get(offset)?.table !== table) this.#changed.set(offset, { table, isFresh: false });
    this.#tables.delete(offset);
    this.#remember(offset, table);
  }

  /** Forgets a table whose cluster is given up. */
  forget(offset: number): void {
    this.#tables.delete(offset);
    this.#changed.delete(offset);
    if (this.#lastOffset === offset) this.#lastTable = undefined;
  }

  /** Forgets all tables that are in the file as they are here. */
  forgetUnchanged(): void {
    this.#tables.clear();
    this.#lastTable = undefined;
  }

  /** Writes the tables that nothing in the file refers to yet. */
  *writeFresh(): Steps {
    yield* this.#write(true);
  }

  /** Writes the tables that have changed in place; those that are new are written already. */
  *writeChanged(): Steps {
    yield* this.#write(false);
  }

  /** All that has changed is durable. */
  settle(): void {
    for (const [offset, { table }] of this.#changed) this.#tables.set(offset, table);
    this.#changed.clear();
    this.#shrink();
  }

  *#write(fresh: boolean): Steps {
    for (const [offset, { table, isFresh }] of this.#changed) {
      if (isFresh === fresh) yield this.#options.file.write(new Uint8Array(table.buffer), offset);
    }
  }

  #load(offset: number): MaybePromise<DataView> {
    this.#check(offset);
    const bytes = new Uint8Array(this.#options.clusterSize);
    const table = new DataView(bytes.buffer);
    const reading = this.#options.file.read(bytes, offset);
    if (reading === undefined) return this.#keep(offset, table);
    const loading: Promise<DataView> = reading.then(
      () => this.#replace(offset, loading, table),
      (error: unknown) => this.#forgetLoading(offset, loading, error),
    );
    return this.#keep(offset, loading);
  }

  #keep(offset: number, table: MaybePromise<DataView>): MaybePromise<DataView> {
    if (!this.#changed.has(offset)) {
      this.#tables.delete(offset);
      this.#tables.set(offset, table);
      this.#shrink();
    }
    this.#remember(offset, table);
    return table;
  }

  #shrink(): void {
    for (const oldest of this.#tables.keys()) {
      if (this.#tables.size <= this.#capacity) return;
      this.#tables.delete(oldest);
    }
  }

  #remember(offset: number, table: MaybePromise<DataView>): void {
    this.#lastOffset = offset;
    this.#lastTable = table;
  }

  #replace(offset: number, loading: MaybePromise<DataView>, table: DataView): DataView {
    if (this.#tables.get(offset) === loading) this.#tables.set(offset, table);
    if (this.#lastTable === loading) this.#lastTable = table;
    return this.#changed.get(offset)?.table ?? table;
  }

  #forgetLoading(offset: number, loading: MaybePromise<DataView>, error: unknown): never {
    if (this.#tables.get(offset) === loading) this.#tables.delete(offset);
    if (this.#lastTable === loading) this.#lastTable = undefined;
    throw error;
  }

  #check(offset: number): void {
    const { clusterSize, file, name } = this.#options;
    if (offset % clusterSize !== 0)
      throw corruptImage(name, `an L2 table cannot be at byte ${offset}, inside a cluster`);
    if (offset + clusterSize > file.size) {
      throw corruptImage(
        name,
        `the L2 table at byte ${offset} lies past the end of the file, which has ${file.size} bytes`,
      );
    }
  }
}

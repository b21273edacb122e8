import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { corruptImage } from './errors.ts';

/** What a cache of L2 tables reads from, and how much it may keep. */
export interface TableCacheOptions {
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
  /** An L2 table is one cluster; in bytes. */
  readonly clusterSize: number;
  /** How many tables are kept at most, at least 1. */
  readonly capacity: number;
}

/** Keeps the L2 tables that were used last. */
export class TableCache {
  readonly #options: TableCacheOptions;
  /** By offset in the file, the least recently used first. */
  readonly #tables = new Map<number, MaybePromise<DataView>>();
  #lastOffset = -1;
  #lastTable: MaybePromise<DataView> | undefined;

  constructor(options: TableCacheOptions) {
    this.#options = options;
  }

  /**
   * The table at byte `offset` of the file.
   *
   * @throws VarveError `CORRUPT` where it starts inside a cluster or ends past the end of the file
   */
  get(offset: number): MaybePromise<DataView> {
    // Hot: nearly all requests stay within the table of the last one (`bench/format.ts`).
    if (offset === this.#lastOffset && this.#lastTable !== undefined) return this.#lastTable;
    const known = this.#tables.get(offset);
    if (known === undefined) return this.#load(offset);
    this.#tables.delete(offset);
    return this.#keep(offset, known);
  }

  #load(offset: number): MaybePromise<DataView> {
    this.#check(offset);
    const bytes = new Uint8Array(this.#options.clusterSize);
    const table = new DataView(bytes.buffer);
    const reading = this.#options.file.read(bytes, offset);
    if (reading === undefined) return this.#keep(offset, table);
    const loading: Promise<DataView> = reading.then(
      () => this.#replace(offset, loading, table),
      (error: unknown) => this.#forget(offset, loading, error),
    );
    return this.#keep(offset, loading);
  }

  #keep(offset: number, table: MaybePromise<DataView>): MaybePromise<DataView> {
    this.#tables.set(offset, table);
    this.#lastOffset = offset;
    this.#lastTable = table;
    if (this.#tables.size > this.#options.capacity) this.#tables.delete(this.#tables.keys().next().value!);
    return table;
  }

  #replace(offset: number, loading: MaybePromise<DataView>, table: DataView): DataView {
    if (this.#tables.get(offset) === loading) this.#tables.set(offset, table);
    if (this.#lastTable === loading) this.#lastTable = table;
    return table;
  }

  #forget(offset: number, loading: MaybePromise<DataView>, error: unknown): never {
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

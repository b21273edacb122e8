import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import { CompressedGrains } from './compressed-grains.ts';
import type { DiskExtent, GrainKind, GrainRun } from './disk-extent.ts';
import { GrainTables, leaveOutEmptyTables, readGrainDirectory } from './grain-tables.ts';
import { type SparseLayout, sectorSize, tableCount, tableCoverage } from './sparse-layout.ts';

/** An extent of which only what was written is in its file. */
export interface SparseExtentOptions {
  readonly file: BlockDevice;
  readonly layout: SparseLayout;
  /** How much of its capacity is of the disk, in bytes. */
  readonly size: number;
  /** The extent's name in errors. */
  readonly name: string;
}

/** @throws VarveError `CORRUPT` */
export async function openSparseExtent(options: SparseExtentOptions): Promise<DiskExtent> {
  const directory = await readGrainDirectory(options);
  await leaveOutEmptyTables(directory, options);
  return new SparseExtent(options, directory);
}

class SparseExtent implements DiskExtent {
  readonly size: number;
  readonly #file: BlockDevice;
  readonly #layout: SparseLayout;
  readonly #name: string;
  readonly #directory: Uint32Array;
  readonly #tables: GrainTables;
  readonly #grains: CompressedGrains;
  /** Disk bytes of one table. */
  readonly #coverage: number;
  readonly #tableCount: number;

  constructor(options: SparseExtentOptions, directory: Uint32Array) {
    this.size = options.size;
    this.#file = options.file;
    this.#layout = options.layout;
    this.#name = options.name;
    this.#directory = directory;
    this.#tables = new GrainTables(options);
    this.#grains = new CompressedGrains(options);
    this.#coverage = tableCoverage(options.layout);
    this.#tableCount = tableCount(options.layout);
  }

  lookup(offset: number, wanted: number, contiguous: boolean): MaybePromise<GrainRun> {
    const length = Math.min(wanted, this.size - offset);
    const index = Math.floor(offset / this.#coverage);
    const sector = this.#directory[index]!;
    if (sector === 0) return this.#absentRun(offset, length, index);
    const table = this.#tables.get(sector);
    if (!(table instanceof Promise)) return this.#runIn(table, offset, length, contiguous);
    return table.then((loaded) => this.#runIn(loaded, offset, length, contiguous));
  }

  read(target: Uint8Array, offset: number, run: GrainRun): MaybePromise<void> {
    if (run.kind === 'data') return this.#file.read(target, run.hostOffset);
    return this.#grains.read(target, offset % this.#layout.grainSize, run.hostOffset);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  /** Goes over as many tables as are not there, so that a sparse disk of any size is quick. */
  #absentRun(offset: number, length: number, index: number): GrainRun {
    let next = index + 1;
    while (next * this.#coverage < offset + length && next < this.#tableCount && this.#directory[next] === 0) next += 1;
    return { kind: 'unallocated', length: Math.min(length, next * this.#coverage - offset), hostOffset: 0 };
  }

  #runIn(table: Uint32Array, offset: number, length: number, contiguous: boolean): GrainRun {
    const { grainSize } = this.#layout;
    const index = Math.floor((offset % this.#coverage) / grainSize);
    const skipped = offset % grainSize;
    const entry = table[index]!;
    const kind = this.#kindOf(entry);
    if (kind === 'compressed') {
      return { kind, length: Math.min(length, grainSize - skipped), hostOffset: entry * sectorSize };
    }
    const end = this.#endOfRun(table, index, skipped + length, contiguous && kind === 'data');
    const found = Math.min(length, (end - index) * grainSize - skipped);
    if (kind !== 'data') return { kind, length: found, hostOffset: 0 };
    const hostOffset = entry * sectorSize + skipped;
    if (contiguous) this.#checkInFile(hostOffset, found);
    return { kind, length: found, hostOffset };
  }

  /**
   * The entry that the run from entry `index` on ends before, as far as `length` bytes go; with `inOnePiece`, also
   * where the next grain is not the next in the file.
   */
  #endOfRun(table: Uint32Array, index: number, length: number, inOnePiece: boolean): number {
    const { grainSize } = this.#layout;
    const first = table[index]!;
    const kind = this.#kindOf(first);
    const sectors = grainSize / sectorSize;
    let end = index + 1;
    // Hot: called for every grain that an extent or a large read covers.
    for (; end < table.length && (end - index) * grainSize < length; end += 1) {
      const entry = table[end]!;
      if (this.#kindOf(entry) !== kind) break;
      if (inOnePiece && entry !== first + (end - index) * sectors) break;
    }
    return end;
  }

  #kindOf(entry: number): GrainKind {
    if (entry === 0) return 'unallocated';
    if (entry === 1 && this.#layout.hasZeroedGrains) return 'zero';
    return this.#layout.compressed ? 'compressed' : 'data';
  }

  #checkInFile(hostOffset: number, length: number): void {
    if (hostOffset + length <= this.#file.size) return;
    const where = `${length} bytes of a grain at byte ${hostOffset}`;
    throw corruptImage(this.#name, `${where} are not inside the file, which has ${this.#file.size} bytes`);
  }
}

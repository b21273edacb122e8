import { setImmediate } from 'node:timers/promises';
import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { Bitmap } from '../../bytes/bitmap.ts';
import { throwIfAborted } from '../disk-pieces.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { maximumCompressedLength } from './compressed-grains.ts';
import { holesAround, readGrainDirectory } from './grain-tables.ts';
import { decodeMarker, grainMarkerLength } from './marker.ts';
import { type SparseLayout, sectorSize, tableCoverage } from './sparse-layout.ts';

const maximumProblems = 100;
/** Others get a turn after so many tables. */
const tablesPerTurn = 64;

/** A sparse extent's file under check: a bit for each of its sectors says whether something is there. */
export class GrainCheck {
  readonly #file: BlockDevice;
  readonly #layout: SparseLayout;
  readonly #options: CheckImageOptions;
  readonly #used: Bitmap;
  readonly #problems: string[] = [];
  #corruptions = 0;
  #allocated = 0;
  #fragmented = 0;
  #nextSector = 0;
  #end = 0;

  constructor(file: BlockDevice, layout: SparseLayout, options: CheckImageOptions) {
    this.#file = file;
    this.#layout = layout;
    this.#options = options;
    this.#used = new Bitmap(Math.min(2 ** 32 - 1, Math.floor(file.size / sectorSize)));
  }

  /** @throws VarveError `CORRUPT` where there is no grain directory, `ABORTED` */
  async run(): Promise<void> {
    const { name, onProgress, signal } = this.#options;
    const extent = { file: this.#file, layout: this.#layout, name };
    const directory = await readGrainDirectory(extent);
    const holes = await holesAround(extent);
    const tableLength = this.#layout.entriesPerTable * 4;
    this.#take(0, 1, 'header', 0);
    this.#take(this.#layout.directoryOffset / sectorSize, sectorsOf(directory.byteLength), 'grain directory', 0);
    for (let index = 0; index < directory.length; index += 1) {
      if (index % tablesPerTurn === 0) {
        // Where the file answers at once nobody else would ever get a turn.
        await setImmediate();
        throwIfAborted(signal);
        onProgress?.(index * tableCoverage(this.#layout));
      }
      const sector = directory[index]!;
      if (sector === 0 || !this.#takeTable(index, sector)) continue;
      if (!holes?.has(sector * sectorSize, tableLength)) await this.#checkTable(index, sector);
    }
    onProgress?.(this.#layout.capacity);
  }

  report(): CheckReport {
    const { capacity, compressed, grainSize } = this.#layout;
    const clusters = {
      total: Math.ceil(capacity / grainSize),
      allocated: this.#allocated,
      compressed: compressed ? this.#allocated : 0,
      fragmented: this.#fragmented,
    };
    return {
      ...{ corruptions: this.#corruptions, leaks: 0, corruptionsFixed: 0, leaksFixed: 0 },
      ...{ problems: this.#problems, clusters, imageEndOffset: this.#end * sectorSize },
    };
  }

  /** A table that is there already is not walked again, so that a small file cannot take for ever. */
  #takeTable(index: number, sector: number): boolean {
    return this.#take(sector, sectorsOf(this.#layout.entriesPerTable * 4), 'grain table', index);
  }

  async #checkTable(index: number, sector: number): Promise<void> {
    const { capacity, entriesPerTable, grainSize } = this.#layout;
    const table = new Uint32Array(entriesPerTable);
    await this.#file.read(new Uint8Array(table.buffer), sector * sectorSize);
    const first = index * entriesPerTable;
    const count = Math.min(entriesPerTable, Math.ceil(capacity / grainSize) - first);
    for (let place = 0; place < count; place += 1) {
      const entry = table[place]!;
      if (entry === 0 || (entry === 1 && this.#layout.hasZeroedGrains)) continue;
      const pending = this.#checkGrain(first + place, entry);
      if (pending !== undefined) await pending;
    }
  }

  #checkGrain(index: number, sector: number): Promise<void> | undefined {
    const { capacity, compressed, grainSize, hasMarkers } = this.#layout;
    this.#allocated += 1;
    if (sector < this.#nextSector) this.#fragmented += 1;
    if (compressed && hasMarkers) return this.#checkMarkedGrain(index, sector);
    const length = compressed ? sectorSize : Math.min(grainSize, capacity - index * grainSize);
    this.#take(sector, sectorsOf(length), 'grain', index);
    this.#nextSector = sector + sectorsOf(length);
    return undefined;
  }

  async #checkMarkedGrain(index: number, sector: number): Promise<void> {
    const { grainSize } = this.#layout;
    if (!this.#take(sector, 1, 'grain', index)) return;
    const bytes = new Uint8Array(grainMarkerLength);
    await this.#file.read(bytes, sector * sectorSize);
    const wanted = index * (grainSize / sectorSize);
    const { size, val } = this.#markerOf(bytes);
    if (size === 0 || size > maximumCompressedLength(grainSize)) {
      return this.#found(() => `grain ${index} at sector ${sector} has no length that can be`);
    }
    if (val !== wanted) {
      this.#found(() => `grain ${index} at sector ${sector} says that it is the disk's sector ${val}, not ${wanted}`);
    }
    const count = sectorsOf(grainMarkerLength + size);
    if (count > 1) this.#take(sector + 1, count - 1, 'grain', index);
    this.#nextSector = sector + count;
  }

  /** A marker that cannot be is one without a length. */
  #markerOf(bytes: Uint8Array): { readonly size: number; readonly val: number } {
    try {
      return decodeMarker(bytes, this.#options.name);
    } catch {
      return { size: 0, val: 0 };
    }
  }

  /** Notes that sectors are used; whether that is fine: they are inside the file, and nobody else's. */
  #take(sector: number, count: number, what: string, index: number): boolean {
    if (sector + count > this.#used.size) {
      this.#found(() => `${what} ${index} at sector ${sector} is not inside the file`);
      return false;
    }
    const isFree = this.#used.nextSet(sector, sector + count) === sector + count;
    this.#used.setRange(sector, sector + count);
    this.#end = Math.max(this.#end, sector + count);
    if (!isFree) this.#found(() => `${what} ${index} at sector ${sector} is where something else is, too`);
    return isFree;
  }

  /** Hot where a hostile image has millions of problems: a line is made for the first hundred only. */
  #found(problem: () => string): void {
    this.#corruptions += 1;
    if (this.#problems.length < maximumProblems) this.#problems.push(problem());
  }
}

function sectorsOf(length: number): number {
  return alignUp(length, sectorSize) / sectorSize;
}

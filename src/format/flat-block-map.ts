import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { DevicePages } from '../block/device-pages.ts';
import type { BlockKind, BlockMap, BlockRun } from './block-map.ts';
import { corruptImage } from './image-errors.ts';

/** An image with one table of little-endian 32-bit entries, one for each block of the disk. */
export interface FlatTable {
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
  /** What the format's specification calls the table. */
  readonly tableName: string;
  /** Where it is in the file, in bytes. */
  readonly offset: number;
  readonly entryCount: number;
  /** The bytes of the disk that an entry is for. */
  readonly blockSize: number;
  /** What an entry says of its block. */
  kindOf(entry: number): BlockKind;
  /** Where the block of an entry of `data` is in the file, in bytes. */
  placeOf(entry: number): number;
}

const pageLength = 65536;
const entriesOfPage = pageLength / 4;
const cachedPages = 64;

/** A page of the table, and which entries are in it. */
export interface TablePage {
  readonly firstIndex: number;
  readonly entryCount: number;
  readonly view: DataView;
}

/** The pages of a table, a few of them at a time. */
export class FlatBlockMap implements BlockMap {
  readonly #table: FlatTable;
  readonly #pages: DevicePages;

  constructor(table: FlatTable) {
    this.#table = table;
    this.#pages = new DevicePages({ device: table.file, name: table.name, capacity: cachedPages });
  }

  /** Hot: called for every read. */
  lookup(offset: number, length: number): MaybePromise<BlockRun> {
    const index = Math.floor(offset / this.#table.blockSize);
    const firstIndex = index - (index % entriesOfPage);
    const view = this.#pageAt(firstIndex);
    if (!(view instanceof Promise)) return this.#runIn(view, firstIndex, offset, length);
    return view.then((loaded) => this.#runIn(loaded, firstIndex, offset, length));
  }

  /** All of the table in order. */
  async *tablePages(): AsyncGenerator<TablePage> {
    for (let firstIndex = 0; firstIndex < this.#table.entryCount; firstIndex += entriesOfPage) {
      const view = await this.#pageAt(firstIndex);
      yield { firstIndex, entryCount: view.byteLength / 4, view };
    }
  }

  #pageAt(firstIndex: number): MaybePromise<DataView> {
    const { entryCount, offset, tableName } = this.#table;
    const count = Math.min(entriesOfPage, entryCount - firstIndex);
    return this.#pages.get(offset + firstIndex * 4, count * 4, tableName);
  }

  #runIn(view: DataView, firstIndex: number, offset: number, length: number): BlockRun {
    const { blockSize } = this.#table;
    const index = Math.floor(offset / blockSize);
    const entry = view.getUint32((index - firstIndex) * 4, true);
    const kind = this.#table.kindOf(entry);
    const place = kind === 'data' ? this.#table.placeOf(entry) : 0;
    let next = index + 1;
    const last = Math.min(firstIndex + view.byteLength / 4, Math.ceil((offset + length) / blockSize));
    while (next < last && this.#goesOn(view.getUint32((next - firstIndex) * 4, true), kind, place, next - index)) {
      next += 1;
    }
    const found = Math.min(length, next * blockSize - offset);
    if (kind !== 'data') return { kind, length: found, hostOffset: 0 };
    const hostOffset = place + (offset % blockSize);
    this.#checkInFile(offset, hostOffset, found);
    return { kind, length: found, hostOffset };
  }

  #goesOn(entry: number, kind: BlockKind, place: number, blocksAfter: number): boolean {
    if (this.#table.kindOf(entry) !== kind) return false;
    return kind !== 'data' || this.#table.placeOf(entry) === place + blocksAfter * this.#table.blockSize;
  }

  #checkInFile(offset: number, hostOffset: number, length: number): void {
    const { file, name } = this.#table;
    if (hostOffset + length <= file.size) return;
    const where = `the block of disk byte ${offset}, at byte ${hostOffset} of the file`;
    throw corruptImage(name, `${where}, lies past its end, which is at ${file.size}`);
  }
}

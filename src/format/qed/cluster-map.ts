/*
 * The L1 table and each L2 table have table_size clusters of 8-byte little-endian offsets in the file.
 *
 *   L1 entry   0: none of its clusters is allocated; else where the L2 table is
 *   L2 entry   0: not allocated, the backing file shows; 1: reads as zeros; else where the data cluster is
 *
 * Source: QEMU docs/interop/qed_spec.txt, section "Tables".
 */
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import type { BlockKind, BlockMap, BlockRun } from '../block-map.ts';
import type { FileHoles } from '../file-holes.ts';
import { corruptImage } from '../image-errors.ts';
import type { QedHeader } from './header.ts';

/** Tables are read in pages of at most this many bytes: they may have a gigabyte. */
const maximumPageLength = 65536;
const cachedL1Pages = 16;
const cachedL2Pages = 64;

/** Finds where in a QED image the bytes of the disk are. */
export class QedClusterMap implements BlockMap {
  readonly entriesOfTable: number;
  /** How many entries of a table are read at once. */
  readonly entriesOfPage: number;
  readonly #file: BlockDevice;
  readonly #header: QedHeader;
  readonly #name: string;
  readonly #l1Pages: DevicePages;
  readonly #l2Pages: DevicePages;
  readonly #pageLength: number;
  readonly #holes: FileHoles;

  constructor(file: BlockDevice, header: QedHeader, name: string, holes: FileHoles) {
    this.#holes = holes;
    this.#file = file;
    this.#header = header;
    this.#name = name;
    this.entriesOfTable = header.tableLength / 8;
    this.#pageLength = Math.min(maximumPageLength, header.tableLength);
    this.entriesOfPage = this.#pageLength / 8;
    this.#l1Pages = new DevicePages({ device: file, name, capacity: cachedL1Pages });
    this.#l2Pages = new DevicePages({ device: file, name, capacity: cachedL2Pages });
  }

  /** Hot: called for every read. */
  lookup(offset: number, length: number): MaybePromise<BlockRun> {
    const cluster = Math.floor(offset / this.#header.clusterSize);
    const l1Index = Math.floor(cluster / this.entriesOfTable);
    const emptyCount = this.emptyEntries(this.#header.l1TableOffset, l1Index);
    if (emptyCount > 0) return this.#absentUpTo((l1Index + emptyCount) * this.#coverage, offset, length);
    const page = this.l1Page(l1Index);
    if (!(page instanceof Promise)) return this.#throughL1(page, offset, length);
    return page.then((loaded) => this.#throughL1(loaded, offset, length));
  }

  /** How many entries of a table, from `index` on, lie in a hole of the file, and so are 0. */
  emptyEntries(tableOffset: number, index: number): number {
    const position = tableOffset + index * 8;
    const end = Math.min(this.#holes.endAt(position), tableOffset + this.#header.tableLength);
    return Math.floor((end - position) / 8);
  }

  /** The page of the L1 table that has the entry `index`. */
  l1Page(index: number): MaybePromise<DataView> {
    return this.#pageOf(this.#l1Pages, this.#header.l1TableOffset, index, 'L1 table');
  }

  /**
   * The page of the L2 table at `tableOffset` that has the entry `index`.
   *
   * @throws VarveError `CORRUPT` for a table that is not in whole clusters inside the file
   */
  l2Page(tableOffset: number, index: number): MaybePromise<DataView> {
    if (!this.isTableOffset(tableOffset)) {
      throw corruptImage(this.#name, `an L2 table cannot be at byte ${tableOffset} of ${this.#file.size}`);
    }
    return this.#pageOf(this.#l2Pages, tableOffset, index, 'L2 table');
  }

  /** The entry `index` of a table, which is in `page`, as an offset in the file; over 2^53 it is inexact. */
  entryIn(page: DataView, index: number): number {
    const position = (index * 8) % this.#pageLength;
    return page.getUint32(position + 4, true) * 0x1_0000_0000 + page.getUint32(position, true);
  }

  isTableOffset(offset: number): boolean {
    return this.isClusterOffset(offset) && offset + this.#header.tableLength <= this.#file.size;
  }

  isClusterOffset(offset: number): boolean {
    const { clusterSize, headerSize } = this.#header;
    return offset % clusterSize === 0 && offset >= headerSize && offset < this.#file.size;
  }

  #pageOf(pages: DevicePages, tableOffset: number, index: number, what: string): MaybePromise<DataView> {
    const position = index * 8;
    return pages.get(tableOffset + position - (position % this.#pageLength), this.#pageLength, what);
  }

  #throughL1(page: DataView, offset: number, length: number): MaybePromise<BlockRun> {
    const { clusterSize } = this.#header;
    const l1Index = Math.floor(offset / this.#coverage);
    const tableOffset = this.entryIn(page, l1Index);
    if (tableOffset === 0) return this.#absentRun(page, l1Index, offset, length);
    const index = Math.floor((offset % this.#coverage) / clusterSize);
    const emptyCount = this.isTableOffset(tableOffset) ? this.emptyEntries(tableOffset, index) : 0;
    if (emptyCount > 0) {
      return this.#absentUpTo(l1Index * this.#coverage + (index + emptyCount) * clusterSize, offset, length);
    }
    const l2Page = this.l2Page(tableOffset, index);
    if (!(l2Page instanceof Promise)) return this.#throughL2(l2Page, index, offset, length);
    return l2Page.then((loaded) => this.#throughL2(loaded, index, offset, length));
  }

  /** Goes over as many L1 entries of the page as are empty, so that a sparse disk of any size is quick. */
  #absentRun(page: DataView, l1Index: number, offset: number, length: number): BlockRun {
    const pageEnd = l1Index - (l1Index % this.entriesOfPage) + this.entriesOfPage;
    let next = l1Index + 1;
    while (next < pageEnd && next * this.#coverage < offset + length && this.entryIn(page, next) === 0) next += 1;
    return this.#absentUpTo(next * this.#coverage, offset, length);
  }

  #absentUpTo(end: number, offset: number, length: number): BlockRun {
    return { kind: 'backing', length: Math.min(length, end - offset), hostOffset: 0 };
  }

  /** Disk bytes of one L2 table. */
  get #coverage(): number {
    return this.entriesOfTable * this.#header.clusterSize;
  }

  #throughL2(page: DataView, index: number, offset: number, length: number): BlockRun {
    const { clusterSize } = this.#header;
    const entry = this.entryIn(page, index);
    const kind = kindOf(entry);
    if (kind === 'data') this.#checkPlace(entry, offset);
    const count = Math.min(
      this.entriesOfPage - (index % this.entriesOfPage),
      Math.ceil(((offset % clusterSize) + length) / clusterSize),
    );
    let found = 1;
    while (found < count && this.#goesOn(this.entryIn(page, index + found), kind, entry + found * clusterSize)) {
      found += 1;
    }
    const runLength = Math.min(length, found * clusterSize - (offset % clusterSize));
    if (kind !== 'data') return { kind, length: runLength, hostOffset: 0 };
    const hostOffset = entry + (offset % clusterSize);
    if (hostOffset + runLength <= this.#file.size) return { kind, length: runLength, hostOffset };
    const where = `the cluster of disk byte ${offset}, at byte ${hostOffset} of the file`;
    throw corruptImage(this.#name, `${where}, lies past its end, which is at ${this.#file.size}`);
  }

  #goesOn(entry: number, kind: BlockKind, place: number): boolean {
    return kindOf(entry) === kind && (kind !== 'data' || entry === place);
  }

  #checkPlace(entry: number, offset: number): void {
    if (this.isClusterOffset(entry)) return;
    const where = `the cluster of disk byte ${offset} cannot be at byte ${entry} of the file`;
    throw corruptImage(this.#name, `${where}, which has ${this.#file.size}`);
  }
}

function kindOf(entry: number): BlockKind {
  if (entry === 0) return 'backing';
  return entry === 1 ? 'zero' : 'data';
}

import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { alignDown } from '../../bytes/align.ts';
import { corruptImage } from '../image-errors.ts';
import { hasFeature, l2Coverage } from './check-header.ts';
import {
  type ClusterKind,
  compressedLength,
  compressedOffset,
  externalKind,
  hostOffsetOf,
  standardKind,
} from './cluster-entry.ts';
import type { Qcow2Header } from './header.ts';
import type { L1Table } from './l1-table.ts';
import { copiedBit } from './layout.ts';
import type { TableCache } from './table-cache.ts';

/** A run of guest bytes of one kind; lengths and offsets in bytes. */
export interface ClusterRun {
  readonly kind: ClusterKind;
  /** Guest bytes. A compressed run ends with its cluster. */
  readonly length: number;
  /** Where the run's first byte, or its compressed cluster's first byte, is in the file; 0 for the other kinds. */
  readonly hostOffset: number;
  /** How many compressed bytes there are at most; 0 for the other kinds. */
  readonly compressedLength: number;
}

/** What a `ClusterMap` needs to know of its image. */
export interface ClusterMapOptions {
  readonly file: BlockDevice;
  readonly header: Qcow2Header;
  readonly l1: L1Table;
  readonly tables: TableCache;
  /** Clusters are in a file of their own, which may be shorter than the disk. */
  readonly isDataExternal: boolean;
  /** The image's name in errors. */
  readonly name: string;
}

const subclusterCount = 32;

/** Finds where in the file a guest byte is, through the L1 and L2 tables. */
export class ClusterMap {
  readonly clusterSize: number;
  readonly #file: BlockDevice;
  readonly #header: Qcow2Header;
  readonly #name: string;
  readonly #l1: L1Table;
  readonly #tables: TableCache;
  readonly #isDataExternal: boolean;
  /** Guest bytes of one L2 table. */
  readonly #coverage: number;
  readonly #extended: boolean;
  /** Guest bytes that have a state of their own: a cluster, or a subcluster. */
  readonly #unitSize: number;
  /** What `#classify` found: the kind, the host offset where that is `data`, and whether that is its own. */
  #kind: ClusterKind = 'unallocated';
  #hostOffset = 0;
  #isExclusive = false;

  constructor({ file, header, isDataExternal, l1, name, tables }: ClusterMapOptions) {
    this.clusterSize = 2 ** header.clusterBits;
    this.#file = file;
    this.#header = header;
    this.#name = name;
    this.#l1 = l1;
    this.#tables = tables;
    this.#isDataExternal = isDataExternal;
    this.#coverage = l2Coverage(header);
    this.#extended = hasFeature(header, 'extendedL2');
    this.#unitSize = this.#extended ? this.clusterSize / subclusterCount : this.clusterSize;
  }

  /**
   * The run that starts at guest byte `offset`, at most `length` bytes and at most up to where the next L2 table
   * begins. `contiguous` ends a run of `data` where it stops being in one piece in the file, and makes sure that all
   * of it is inside the file, but for the end of its last cluster.
   *
   * @throws VarveError `CORRUPT`
   */
  lookup(offset: number, length: number, contiguous: boolean): MaybePromise<ClusterRun> {
    const l1Index = Math.floor(offset / this.#coverage);
    const tableOffset = this.#l1.offsetOf(l1Index);
    if (tableOffset === 0) return this.#absentRun(offset, length, l1Index);
    const table = this.#tables.get(tableOffset);
    if (!(table instanceof Promise)) return this.#runIn(table, offset, length, contiguous);
    return table.then((loaded) => this.#runIn(loaded, offset, length, contiguous));
  }

  /**
   * Like `lookup`, for a run that may be written where it is: a part of `data` in one piece that nothing else refers to.
   * Undefined where there is none at `offset`.
   *
   * @throws VarveError `CORRUPT`
   */
  lookupExclusive(offset: number, length: number): MaybePromise<ClusterRun | undefined> {
    const l1Index = Math.floor(offset / this.#coverage);
    const tableOffset = this.#l1.offsetOf(l1Index);
    if (tableOffset === 0 || !this.#l1.isExclusive(l1Index)) return undefined;
    const table = this.#tables.get(tableOffset);
    if (!(table instanceof Promise)) return this.#exclusiveRunIn(table, offset, length);
    return table.then((loaded) => this.#exclusiveRunIn(loaded, offset, length));
  }

  #exclusiveRunIn(table: DataView, offset: number, length: number): ClusterRun | undefined {
    this.#classify(table, Math.floor((offset % this.#coverage) / this.#unitSize), offset);
    return this.#kind === 'data' && this.#isExclusive ? this.#runIn(table, offset, length, true) : undefined;
  }

  /** Goes over as many L1 entries as are empty, so that a sparse disk of any size is quick. */
  #absentRun(offset: number, length: number, l1Index: number): ClusterRun {
    let end = (l1Index + 1) * this.#coverage;
    for (let next = l1Index + 1; end < offset + length && this.#l1.offsetOf(next) === 0; next += 1) {
      end += this.#coverage;
    }
    return emptyRun('unallocated', Math.min(length, end - offset));
  }

  #runIn(table: DataView, offset: number, length: number, contiguous: boolean): ClusterRun {
    const unit = Math.floor((offset % this.#coverage) / this.#unitSize);
    this.#classify(table, unit, offset);
    const kind = this.#kind;
    if (kind === 'compressed') return this.#compressedRun(table, unit, offset, length);
    const skipped = offset % this.#unitSize;
    if (kind !== 'data') return emptyRun(kind, this.#extend(table, unit, offset, length, undefined));
    const hostOffset = this.#hostOffset + skipped;
    const found = this.#extend(table, unit, offset, length, contiguous ? this.#hostOffset : undefined);
    if (contiguous) this.#checkInFile(offset, hostOffset, found);
    return { kind, length: found, hostOffset, compressedLength: 0 };
  }

  /** How far the kind that `#classify` found goes on; with `hostOffset`, that of `unit`, only where the file does too. */
  #extend(table: DataView, unit: number, offset: number, length: number, hostOffset: number | undefined): number {
    const kind = this.#kind;
    const isExclusive = this.#isExclusive;
    const unitSize = this.#unitSize;
    const unitCount = this.#coverage / unitSize;
    const start = offset - (offset % unitSize);
    let count = 1;
    for (; start + count * unitSize < offset + length && unit + count < unitCount; count += 1) {
      this.#classify(table, unit + count, start + count * unitSize);
      if (this.#kind !== kind) break;
      if (hostOffset === undefined) continue;
      if (this.#hostOffset !== hostOffset + count * unitSize || this.#isExclusive !== isExclusive) break;
    }
    return Math.min(length, start + count * unitSize - offset);
  }

  #compressedRun(table: DataView, unit: number, offset: number, length: number): ClusterRun {
    const entry = this.#entryPosition(unit);
    const [high, low] = [table.getUint32(entry), table.getUint32(entry + 4)];
    const { clusterBits } = this.#header;
    const hostOffset = compressedOffset(high, low, clusterBits);
    // The last sector may be cut off by the end of the file; the compressed bytes tell where they end.
    const available = Math.min(compressedLength(high, low, clusterBits), this.#file.size - hostOffset);
    if (available <= 0) throw this.#outsideFile(offset, hostOffset);
    const rest = this.clusterSize - (offset % this.clusterSize);
    return { kind: 'compressed', length: Math.min(length, rest), hostOffset, compressedLength: available };
  }

  /** Hot: called for every cluster that an extent or a large read covers (`bench/formats.ts`). */
  #classify(table: DataView, unit: number, offset: number): void {
    const position = this.#entryPosition(unit);
    const high = table.getUint32(position);
    const low = table.getUint32(position + 4);
    const hostOffset = hostOffsetOf(high, low);
    const kind = this.#isDataExternal ? externalKind(high, low) : standardKind(high, low);
    if (kind !== 'compressed' && hostOffset % this.clusterSize !== 0) this.#misplaced(offset, hostOffset);
    if (kind === 'zero' && this.#header.version === 2) this.#impossibleZero(offset);
    this.#kind = kind;
    this.#hostOffset = hostOffset;
    this.#isExclusive = high >= copiedBit;
    if (this.#extended && kind !== 'compressed') this.#classifySubcluster(table, unit, offset, hostOffset);
  }

  #classifySubcluster(table: DataView, unit: number, offset: number, hostOffset: number): void {
    const position = this.#entryPosition(unit);
    const subcluster = unit % subclusterCount;
    const readsAsZeros = ((table.getUint32(position + 8) >>> subcluster) & 1) === 1;
    const isAllocated = ((table.getUint32(position + 12) >>> subcluster) & 1) === 1;
    if (isAllocated && (readsAsZeros || (hostOffset === 0 && !this.#isDataExternal))) {
      throw corruptImage(this.#name, `the L2 entry of disk byte ${offset} contradicts its subcluster bitmap`);
    }
    this.#kind = readsAsZeros ? 'zero' : isAllocated ? 'data' : 'unallocated';
    this.#hostOffset = hostOffset + subcluster * this.#unitSize;
  }

  #entryPosition(unit: number): number {
    return this.#extended ? Math.floor(unit / subclusterCount) * 16 : unit * 8;
  }

  /** The last cluster may be cut short, or not be there yet. More that is missing was there, and the file is cut off. */
  #checkInFile(offset: number, hostOffset: number, length: number): void {
    const end = hostOffset + length;
    if (end <= this.#file.size || this.#isDataExternal) return;
    if (end > alignDown(this.#file.size, this.clusterSize) + this.clusterSize)
      throw this.#outsideFile(offset, hostOffset);
  }

  #outsideFile(offset: number, hostOffset: number): Error {
    return corruptImage(
      this.#name,
      `the cluster of disk byte ${offset}, at byte ${hostOffset} of the file, lies past its end, which is at ${this.#file.size}`,
    );
  }

  #misplaced(offset: number, hostOffset: number): never {
    throw corruptImage(
      this.#name,
      `the cluster of disk byte ${offset} cannot be at byte ${hostOffset}, inside a cluster`,
    );
  }

  #impossibleZero(offset: number): never {
    throw corruptImage(
      this.#name,
      `the L2 entry of disk byte ${offset} is a zero cluster, which version 2 does not have`,
    );
  }
}

function emptyRun(kind: ClusterKind, length: number): ClusterRun {
  return { kind, length, hostOffset: 0, compressedLength: 0 };
}

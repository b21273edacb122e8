import { answerOf, type Steps } from '../../block/run-steps.ts';
import { alignDown, alignUp } from '../../bytes/align.ts';
import { l2Coverage } from './check-header.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { ClusterWriter } from './cluster-writer.ts';
import type { ImageTables } from './image-tables.ts';
import { type L2Entry, unitMask } from './l2-entry.ts';
import { releaseEntry } from './release-entry.ts';

/** What an entry is to be; it keeps the host cluster that it has, or has none. */
interface NewEntry {
  readonly keepsCluster: boolean;
  readonly allocated: number;
  readonly zeros: number;
}

/** Decides on an entry whose cluster starts at guest byte `start`, of which `units` are in the range. */
type Decide = (entry: L2Entry, start: number, units: number) => NewEntry | undefined;

const zeros = new Uint8Array(2 ** 16);

/** Makes parts of the disk read as zeros, and gives up their clusters. Jobs as those of `ClusterWriter`. */
export class ClusterZeroer {
  readonly #tables: ImageTables;
  readonly #map: ClusterMap;
  readonly #writer: ClusterWriter;
  readonly #clusterSize: number;
  /** Guest bytes of one L2 table. */
  readonly #coverage: number;

  constructor(tables: ImageTables, map: ClusterMap, writer: ClusterWriter) {
    this.#tables = tables;
    this.#map = map;
    this.#writer = writer;
    this.#clusterSize = tables.image.clusterSize;
    this.#coverage = l2Coverage(tables.image.header);
  }

  /** Makes a range read as zeros: whole units in the tables, the rest by writing zeros. */
  *zero(offset: number, length: number): Steps {
    const end = offset + length;
    if (this.#needsWriting) return yield* this.#forEachTable(offset, end, this.#writeZeros.bind(this));
    const [first, last] = this.#wholeUnits(offset, end);
    yield* this.#writeZeros(offset, Math.min(first, end));
    yield* this.#writeZeros(Math.max(last, Math.min(first, end)), end);
    yield* this.#unpack(first, last);
    yield* this.#forEachTable(first, last, (start, stop) => this.#zeroUnits(start, stop));
  }

  /** Gives up the space of whole units, which read as zeros then, or as before. */
  *trim(offset: number, length: number): Steps {
    if (this.#tables.data.isExternal) return yield* this.#trimExternal(offset, offset + length);
    const [first, last] = this.#wholeUnits(offset, offset + length);
    yield* this.#forEachTable(first, last, (start, stop) => this.#trimUnits(start, stop));
  }

  /** Gives up all clusters from guest byte `offset` on, where a cluster starts, also past the disk's end. */
  *discardFrom(offset: number): Steps {
    const end = this.#tables.l1.entryCount * this.#coverage;
    yield* this.#forEachTable(offset, end, (start, stop) => this.#discard(start, stop));
  }

  /** Version 2 has no entries that read as zeros, and an external data file may be read without any entries. */
  get #needsWriting(): boolean {
    const { data, image } = this.#tables;
    return data.isExternal || (image.header.version === 2 && !this.#writer.isSilent(0));
  }

  /** The whole units in a range; what is past the disk's end belongs to its last one. */
  #wholeUnits(offset: number, end: number): [first: number, last: number] {
    const { unitSize } = this.#writer;
    const isLast = end >= this.#tables.image.header.size;
    return [alignUp(offset, unitSize), isLast ? alignUp(end, unitSize) : alignDown(end, unitSize)];
  }

  /** Writes zeros where something else may be read. */
  *#writeZeros(offset: number, end: number): Steps {
    for (let position = offset; position < end; ) {
      const run = yield* answerOf(this.#map.lookup(position, end - position, false));
      if (run.kind === 'zero' || (run.kind === 'unallocated' && this.#writer.isSilent(position))) {
        position += run.length;
        continue;
      }
      const own = yield* answerOf(this.#map.lookupExclusive(position, run.length));
      const length = own?.length ?? Math.min(run.length, zeros.length);
      const { data } = this.#tables;
      if (own !== undefined && data.isPlain) yield* this.#zeroInFile(own.hostOffset, length);
      else yield* this.#writer.write(zeros.subarray(0, length), position);
      position += length;
    }
  }

  /** An external data file may be shorter than the disk, and is zeros then. */
  *#zeroInFile(hostOffset: number, length: number): Steps {
    const { file } = this.#tables.data;
    const available = Math.min(length, file.size - hostOffset);
    if (available > 0) yield file.zero(hostOffset, available);
  }

  *#trimExternal(offset: number, end: number): Steps {
    const { file } = this.#tables.data;
    for (let position = offset; position < end; ) {
      const run = yield* answerOf(this.#map.lookup(position, end - position, true));
      const available = Math.min(run.length, file.size - run.hostOffset);
      if (run.kind === 'data' && file.supports.trim && available > 0) yield file.trim(run.hostOffset, available);
      position += run.length;
    }
  }

  /** Makes standard clusters of those compressed ones of which only a part is in the range. */
  *#unpack(first: number, last: number): Steps {
    for (const [start, end] of [
      [first, Math.min(last, alignUp(first, this.#clusterSize))],
      [Math.max(first, alignDown(last, this.#clusterSize)), last],
    ] as const) {
      if (start >= end) continue;
      const run = yield* answerOf(this.#map.lookup(start, end - start, false));
      if (run.kind === 'compressed') yield* this.#writer.write(zeros.subarray(0, 1), start);
    }
  }

  *#zeroUnits(offset: number, end: number): Steps {
    if (!this.#hasTable(offset) && this.#writer.isSilent(offset)) return;
    yield* this.#changeEntries(offset, end, (entry, start, units) => this.#zeroed(entry, start, units));
  }

  *#trimUnits(offset: number, end: number): Steps {
    if (!this.#hasTable(offset)) return;
    yield* this.#changeEntries(offset, end, (entry, start, units) => this.#trimmed(entry, start, units));
  }

  #hasTable(offset: number): boolean {
    return this.#tables.l1.offsetOf(Math.floor(offset / this.#coverage)) !== 0;
  }

  #zeroed(entry: L2Entry, start: number, units: number): NewEntry | undefined {
    const isSilent = this.#writer.isSilent(start);
    const allocated = (entry.allocated & ~units) >>> 0;
    const marked = isSilent ? entry.zeros : (entry.zeros | units) >>> 0;
    return { keepsCluster: allocated !== 0, allocated, zeros: allocated === 0 && isSilent ? 0 : marked };
  }

  #trimmed(entry: L2Entry, start: number, units: number): NewEntry | undefined {
    const { allUnits } = this.#writer.codec;
    if (entry.compressed !== undefined && units !== allUnits) return undefined;
    const isSilent = this.#writer.isSilent(start);
    if (!isSilent && this.#tables.image.header.version === 2) return undefined;
    const allocated = (entry.allocated & ~units) >>> 0;
    const marked = isSilent ? entry.zeros : (entry.zeros | (units & entry.allocated)) >>> 0;
    return { keepsCluster: allocated !== 0, allocated, zeros: marked };
  }

  *#discard(offset: number, end: number): Steps {
    const { image, l1, l2, refcounts } = this.#tables;
    const l1Index = Math.floor(offset / this.#coverage);
    const tableOffset = l1.offsetOf(l1Index);
    if (tableOffset === 0) return;
    if (offset % this.#coverage !== 0) {
      return yield* this.#changeEntries(offset, end, () => ({ keepsCluster: false, allocated: 0, zeros: 0 }));
    }
    const table = yield* answerOf(l2.get(tableOffset));
    const { codec } = this.#writer;
    for (let index = 0; index < this.#clusterSize / codec.entryLength; index += 1) {
      releaseEntry(this.#tables, codec.decode(table, index));
    }
    l1.set(l1Index, 0);
    l2.forget(tableOffset);
    refcounts.release(tableOffset / image.clusterSize, 1);
  }

  /** Calls `work` for the parts of a range that lie in one L2 table each. */
  *#forEachTable(offset: number, end: number, work: (offset: number, end: number) => Steps): Steps {
    for (let position = offset; position < end; ) {
      const stop = Math.min(end, alignDown(position, this.#coverage) + this.#coverage);
      yield* work(position, stop);
      yield* this.#tables.commitIfFull();
      position = stop;
    }
  }

  /** Changes the entries of a part of one L2 table; where there is none, all of it is not allocated. */
  *#changeEntries(offset: number, end: number, decide: Decide): Steps {
    const { l1, l2 } = this.#tables;
    const l1Index = Math.floor(offset / this.#coverage);
    const tableOffset = l1.offsetOf(l1Index);
    let table: DataView | undefined = tableOffset === 0 ? undefined : yield* answerOf(l2.get(tableOffset));
    let changes = false;
    for (let start = alignDown(offset, this.#clusterSize); start < end; start += this.#clusterSize) {
      const index = Math.floor((start % this.#coverage) / this.#clusterSize);
      const entry = table === undefined ? emptyEntry : this.#writer.codec.decode(table, index);
      const wanted = decide(entry, start, this.#unitsIn(start, offset, end));
      if (wanted === undefined || isSame(entry, wanted)) continue;
      if (!changes) table = yield* this.#tables.changeableTable(l1Index);
      changes = true;
      this.#change(table!, index, entry, wanted);
    }
    if (changes) this.#tables.change(l1Index, table!);
  }

  #change(table: DataView, index: number, entry: L2Entry, { allocated, keepsCluster, zeros }: NewEntry): void {
    const hostOffset = keepsCluster ? entry.hostOffset : undefined;
    this.#writer.codec.encode(table, index, { hostOffset, allocated, zeros, isExclusive: entry.isExclusive });
    if (!keepsCluster) releaseEntry(this.#tables, entry);
  }

  /** The bits of the units of the cluster at guest byte `start` that are wholly in a range. */
  #unitsIn(start: number, offset: number, end: number): number {
    const { codec, unitSize } = this.#writer;
    const first = Math.max(0, Math.ceil((offset - start) / unitSize));
    return unitMask(first, Math.min(codec.unitCount, Math.floor((end - start) / unitSize)));
  }
}

const emptyEntry: L2Entry = {
  hostOffset: undefined,
  isExclusive: false,
  allocated: 0,
  zeros: 0,
  compressed: undefined,
};

function isSame(entry: L2Entry, { allocated, keepsCluster, zeros }: NewEntry): boolean {
  const hasPlace = entry.hostOffset !== undefined || entry.compressed !== undefined;
  return hasPlace === keepsCluster && entry.zeros === zeros && (entry.allocated === allocated || !keepsCluster);
}

import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import { alignDown, alignUp } from '../../bytes/align.ts';
import type { DiskRange } from '../../format/data-ranges.ts';
import { checkHeader, hasFeature, l2Coverage } from '../../format/qcow2/check-header.ts';
import { hostOffsetOf } from '../../format/qcow2/cluster-entry.ts';
import type { Qcow2Header } from '../../format/qcow2/header.ts';
import { ImageFile } from '../../format/qcow2/image-file.ts';
import { copiedBit } from '../../format/qcow2/layout.ts';
import { readHeader } from '../../format/qcow2/read-header.ts';
import { Refcounts } from '../../format/qcow2/refcounts.ts';
import { zeroRuns } from '../../format/zero-runs.ts';
import type { WriteBehind } from '../write-behind.ts';
import { CommitFile } from './commit-file.ts';
import type { MergedContent } from './merged-content.ts';
import { alignRanges, pieces } from './own-ranges.ts';
import { releaseReplaced } from './release-replaced.ts';
import type { StagedChange, StagedRecord } from './staged-change.ts';

/** How content is committed to a qcow2 image. */
export interface CommitQcow2Options {
  /** The image's name in errors. */
  readonly name: string;
  /** The size of the disk the image builds on, in bytes; undefined where it builds on none. */
  readonly backingSize: number | undefined;
  /**
   * Whether clusters that are free now may be taken. Not where somebody has had the file open for longer: they may
   * have got free meanwhile, and be read by tables of earlier. Those that this commit frees stay as they are anyhow.
   */
  readonly mayReuse: boolean;
  /** Writes to the same file in the background, where that can be done. */
  readonly behind?: WriteBehind;
  /** Called with how many bytes were dealt with more. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const pieceLength = 2 ** 20;
const twoTo32 = 0x1_0000_0000;

/**
 * Gets ready to change the content of a qcow2 image in one step: what is new goes into clusters that nothing uses, with
 * new L2 tables and a new L1 table; all that is synced. To apply it is one write of less than a sector, which makes the
 * header point to the new tables. Before it the image is what it was, after it what it is to be; cut off anywhere, it
 * has leaks at most. `file` stays the caller's, and open.
 *
 * @throws VarveError `UNSUPPORTED` for images whose clusters others count, `CORRUPT`, `NO_SPACE`, `ABORTED`
 */
export async function stageQcow2(
  file: BlockDevice,
  content: MergedContent,
  options: CommitQcow2Options,
): Promise<StagedChange> {
  const header = await readHeader(file, options.name);
  checkHeader(header, file.size, options.name);
  requireOwnClusters(header, options.name);
  const commit = new Qcow2Commit(file, header, content, options);
  const after = await commit.stage();
  return {
    record: { kind: 'header', before: header.l1TableOffset, after },
    apply: () => commit.apply(after),
    release: () => commit.release(header),
    // Its clusters leak.
    async drop() {},
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * Applies what `stageQcow2` had got ready in a process that died, to an image whose header still points to what it
 * pointed to then.
 */
export async function applyStagedQcow2(file: BlockDevice, name: string, after: NewTables): Promise<void> {
  const header = await readHeader(file, name);
  const image = new ImageFile(new CommitFile(file), header, name);
  const [oldL1, newL1] = [header, after].map(({ l1Size }) => new DataView(new ArrayBuffer(l1Size * 8)));
  if (header.l1Size > 0) await file.read(bytesOf(oldL1!), header.l1TableOffset);
  await file.read(bytesOf(newL1!), after.l1TableOffset);
  await pointTo(image, after);
  await releaseReplaced(image, await runSteps(Refcounts.open(image, 1)), header, oldL1!, newL1!);
}

/** What the header says of the new tables. */
type NewTables = Extract<StagedRecord, { kind: 'header' }>['after'];

async function pointTo(image: ImageFile, { size, l1Size, l1TableOffset }: NewTables): Promise<void> {
  // Features that clear themselves are of those who knew what they meant, and would have kept them true.
  await runSteps(image.changeFields({ size, l1Size, l1TableOffset, autoclearFeatures: 0n }));
  await image.file.flush();
}

/** @throws VarveError `UNSUPPORTED` */
function requireOwnClusters(header: Qcow2Header, name: string): void {
  const refuse = (why: string): never => {
    throw new VarveError('UNSUPPORTED', `cannot commit to ${name}: ${why}`);
  };
  if (hasFeature(header, 'corrupt')) refuse('it is marked as damaged; run varve check --repair all first');
  if (hasFeature(header, 'dirty')) refuse('it was not closed properly; run varve check --repair leaks first');
  if (hasFeature(header, 'externalDataFile')) refuse('its content is in an external file, which would change at once');
  if (header.cryptMethod !== 0) refuse('it is encrypted');
  if ((header.autoclearFeatures & 1n) !== 0n) {
    refuse('it holds dirty bitmaps, which would not tell of this change; qemu-img bitmap --remove takes them out');
  }
}

/** One commit under way. */
class Qcow2Commit {
  readonly #file: CommitFile;
  readonly #image: ImageFile;
  readonly #content: MergedContent;
  readonly #options: CommitQcow2Options;
  readonly #oldL1: DataView;
  readonly #newL1: DataView;
  readonly #isExtended: boolean;
  readonly #coverage: number;
  #refcounts!: Refcounts;

  constructor(file: BlockDevice, header: Qcow2Header, content: MergedContent, options: CommitQcow2Options) {
    this.#file = new CommitFile(file);
    this.#image = new ImageFile(this.#file, header, options.name);
    this.#content = content;
    this.#options = options;
    this.#isExtended = hasFeature(header, 'extendedL2');
    this.#coverage = l2Coverage(header);
    const l1Size = Math.max(header.l1Size, Math.ceil(content.size / this.#coverage), 1);
    this.#oldL1 = new DataView(new ArrayBuffer(header.l1Size * 8));
    this.#newL1 = new DataView(new ArrayBuffer(alignUp(l1Size * 8, this.#image.clusterSize)));
  }

  /** Makes the new tables, and all they lead to, durable. */
  async stage(): Promise<NewTables> {
    const { header, clusterSize } = this.#image;
    const from = this.#options.mayReuse ? 1 : Math.ceil(this.#file.size / clusterSize);
    this.#refcounts = await runSteps(Refcounts.open(this.#image, from));
    if (header.l1Size > 0) await this.#file.read(bytesOf(this.#oldL1), header.l1TableOffset);
    bytesOf(this.#newL1).set(bytesOf(this.#oldL1));
    for (const group of byTable(this.#ranges(), this.#coverage)) await this.#replaceTable(group);
    const first = await runSteps(this.#refcounts.allocateContiguous(this.#newL1.byteLength / clusterSize));
    await this.#file.write(bytesOf(this.#newL1), first * clusterSize);
    await runSteps(this.#refcounts.write());
    await this.#options.behind?.settle();
    await this.#file.flush();
    const { size } = this.#content;
    const l1Size = Math.max(header.l1Size, Math.ceil(size / this.#coverage), 1);
    return { size, l1Size, l1TableOffset: first * clusterSize };
  }

  /** Makes the header point to them. */
  async apply(after: NewTables): Promise<void> {
    await pointTo(this.#image, after);
  }

  /** Frees what only the tables of before lead to; `header` is the one of before. */
  async release(header: Qcow2Header): Promise<void> {
    await releaseReplaced(this.#image, this.#refcounts, header, this.#oldL1, this.#newL1);
  }

  /** Whole clusters that are to change. */
  #ranges(): DiskRange[] {
    const { size: oldSize } = this.#image.header;
    const { ranges, size } = this.#content;
    const { clusterSize } = this.#image;
    if (size === oldSize) return alignRanges(ranges, clusterSize);
    // What a disk that grows shows past its old end: not what its last cluster has there, nor what it builds on has.
    const hidden = Math.max(alignUp(oldSize, clusterSize), Math.min(size, this.#options.backingSize ?? 0));
    const shown = { offset: oldSize, length: Math.min(hidden, size) - oldSize };
    const sorted = [...ranges, ...(shown.length > 0 ? [shown] : [])].sort((a, b) => a.offset - b.offset);
    return alignRanges(sorted, clusterSize);
  }

  /** Writes what is new in the part of the disk that one L2 table covers, and a new table. */
  async #replaceTable({ l1Index, ranges }: TableRanges): Promise<void> {
    const table = await this.#loadTable(l1Index);
    const { clusterSize } = this.#image;
    const buffer = new Uint8Array(Math.max(pieceLength, clusterSize));
    for (const { offset, length } of pieces(ranges, buffer.length)) {
      if (this.#options.signal?.aborted) throw aborted(this.#options.signal);
      const piece = buffer.subarray(0, length);
      await this.#content.read(piece, offset);
      for (const { start, end, isZero } of zeroRuns(piece, clusterSize)) {
        if (isZero && this.#canSayZero()) this.#setZero(table, offset + start, (end - start) / clusterSize);
        else await this.#writeData(table, offset + start, piece.subarray(start, end));
      }
      this.#options.onProgress?.(length);
    }
    const { first } = await runSteps(this.#refcounts.allocateRun(1));
    await this.#file.write(bytesOf(table), first * clusterSize);
    putReference(this.#newL1, l1Index * 8, first * clusterSize);
  }

  async #loadTable(l1Index: number): Promise<DataView> {
    const bytes = new Uint8Array(this.#image.clusterSize);
    const offset = l1Index * 8 < this.#oldL1.byteLength ? referenceAt(this.#oldL1, l1Index * 8) : 0;
    if (offset !== 0) await this.#file.read(bytes, offset);
    return new DataView(bytes.buffer);
  }

  /** Version 2 has no zero clusters: there, what a backing file would shine through must be written out. */
  #canSayZero(): boolean {
    return this.#image.header.version === 3 || this.#options.backingSize === undefined;
  }

  #setZero(table: DataView, offset: number, count: number): void {
    const hides = this.#options.backingSize !== undefined;
    for (let index = 0; index < count; index += 1) {
      const position = this.#entryPosition(offset + index * this.#image.clusterSize);
      table.setBigUint64(position, 0n);
      if (this.#isExtended) table.setBigUint64(position + 8, hides ? 0xffff_ffffn << 32n : 0n);
      else if (hides) table.setUint32(position + 4, 1);
    }
  }

  /** Writes clusters to where nothing is, and points to them. */
  async #writeData(table: DataView, offset: number, bytes: Uint8Array): Promise<void> {
    const { clusterSize } = this.#image;
    for (let done = 0; done < bytes.length; ) {
      const run = await runSteps(this.#refcounts.allocateRun((bytes.length - done) / clusterSize));
      const length = run.count * clusterSize;
      const pending = (this.#options.behind ?? this.#file).write(
        bytes.subarray(done, done + length),
        run.first * clusterSize,
      );
      if (pending !== undefined) await pending;
      for (let index = 0; index < run.count; index += 1) {
        const position = this.#entryPosition(offset + done + index * clusterSize);
        putReference(table, position, (run.first + index) * clusterSize);
        if (this.#isExtended) table.setBigUint64(position + 8, 0xffff_ffffn);
      }
      done += length;
    }
  }

  #entryPosition(offset: number): number {
    return Math.floor((offset % this.#coverage) / this.#image.clusterSize) * (this.#isExtended ? 16 : 8);
  }
}

/** The ranges that one L2 table covers. */
interface TableRanges {
  readonly l1Index: number;
  readonly ranges: DiskRange[];
}

function* byTable(ranges: Iterable<DiskRange>, coverage: number): Generator<TableRanges, undefined> {
  let current: TableRanges | undefined;
  for (const piece of pieces(ranges, coverage)) {
    const l1Index = alignDown(piece.offset, coverage) / coverage;
    if (current !== undefined && current.l1Index !== l1Index) yield current;
    if (current?.l1Index !== l1Index) current = { l1Index, ranges: [] };
    current.ranges.push(piece);
  }
  if (current !== undefined) yield current;
}

function putReference(table: DataView, position: number, offset: number): void {
  table.setUint32(position, copiedBit + Math.floor(offset / twoTo32));
  table.setUint32(position + 4, offset % twoTo32);
}

function referenceAt(table: DataView, position: number): number {
  return hostOffsetOf(table.getUint32(position), table.getUint32(position + 4));
}

function bytesOf(table: DataView): Uint8Array {
  return new Uint8Array(table.buffer);
}

function aborted(signal: AbortSignal): VarveError {
  return new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
}

import type { BlockDevice } from '../../block/block-device.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { CheckFindings } from '../check-findings.ts';
import { throwIfAborted } from '../disk-pieces.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { batEntryLength, blockState, offsetAt, stateAt } from './bat.ts';
import { headerPlaces, mebibyte } from './file-header.ts';
import { PatchedFile } from './patched-file.ts';
import { type ReadVhdx, readVhdx } from './read-vhdx.ts';
import { settleLog } from './settle-log.ts';

const sliceLength = 2 ** 20;
const knownStates: readonly number[] = Object.values(blockState);

/**
 * Looks for what is wrong with a VHDX: blocks that lie outside the file, on tables or on one another, and states that
 * cannot be. A log that is not replayed yet is taken as if it were, and a repair of `all` replays it in the file; nothing
 * else is repaired.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` where not even its header, log and metadata can be read
 */
export async function checkVhdx(original: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('vhdx', options, true);
  const read = await readVhdx(original, options.name);
  if (options.repair === 'all' && read.file instanceof PatchedFile) {
    await settleLog(original, read.file, read.header);
    findings.corruption('its log was not replayed yet', true);
  }
  const check = new BatCheck(read, findings);
  const { file, layout, regions } = read;
  const slice = new DataView(new ArrayBuffer(sliceLength));
  const entriesInSlice = sliceLength / batEntryLength;
  for (let first = 0; first < layout.entryCount; first += entriesInSlice) {
    throwIfAborted(options.signal);
    const count = Math.min(entriesInSlice, layout.entryCount - first);
    const bytes = new Uint8Array(slice.buffer, 0, count * batEntryLength);
    await file.read(bytes, regions.bat.offset + first * batEntryLength);
    for (let index = 0; index < count; index += 1) check.entry(first + index, slice, index * batEntryLength);
    options.onProgress?.(Math.min(read.parameters.size, (first + count) * layout.blockSize));
  }
  return check.report();
}

class BatCheck {
  readonly #read: ReadVhdx;
  readonly #findings: CheckFindings;
  /** What of the file something is on. */
  readonly #taken: IntervalSet;
  #allocated = 0;
  #fragmented = 0;
  #lastOffset = 0;
  #end = 0;

  constructor(read: ReadVhdx, findings: CheckFindings) {
    this.#read = read;
    this.#findings = findings;
    const { bat, metadata } = read.regions;
    const log = { offset: read.header.logOffset, length: read.header.logLength };
    const parts = [{ offset: 0, length: headerPlaces.end }, bat, metadata, log];
    this.#taken = new IntervalSet(parts.map(({ length, offset }) => ({ offset, end: offset + length })));
    for (const { length, offset } of parts) this.#end = Math.max(this.#end, offset + length);
  }

  entry(index: number, page: DataView, position: number): void {
    const { layout, parameters } = this.#read;
    const isBitmap = index % (layout.chunkRatio + 1) === layout.chunkRatio;
    const block = index - Math.floor(index / (layout.chunkRatio + 1));
    // Of a chunk that the disk ends in, and of bitmaps that nobody asks for, nothing is used.
    if (isBitmap ? !parameters.hasParent : block >= layout.blockCount) return;
    const state = stateAt(page, position);
    const what = isBitmap ? `sector bitmap ${Math.floor(index / (layout.chunkRatio + 1))}` : `block ${block}`;
    const isPartial = state === blockState.partiallyPresent;
    const isWrong = isBitmap ? state !== blockState.notPresent && state !== blockState.fullyPresent : isPartial;
    if (!knownStates.includes(state) || (isWrong && (isBitmap || !parameters.hasParent))) {
      this.#findings.corruption(`${what} has the State ${state}`);
    } else if (state === blockState.fullyPresent || isPartial) {
      this.#present(what, offsetAt(page, position, this.#findings.name), isBitmap ? mebibyte : layout.blockSize);
      if (!isBitmap) this.#allocated += 1;
    }
  }

  report(): CheckReport {
    const { blockCount } = this.#read.layout;
    const clusters = { total: blockCount, allocated: this.#allocated, compressed: 0, fragmented: this.#fragmented };
    return this.#findings.report(clusters, this.#end);
  }

  #present(what: string, offset: number, length: number): void {
    const end = offset + length;
    const [other] = this.#taken.intersect(offset, end);
    if (other !== undefined)
      this.#findings.corruption(`${what} at byte ${offset} lies on another block, or on a table`);
    if (end > this.#read.file.size)
      this.#findings.corruption(`${what} at byte ${offset} lies past the end of the file`);
    this.#taken.add(offset, end);
    if (offset < this.#lastOffset) this.#fragmented += 1;
    this.#lastOffset = offset;
    this.#end = Math.max(this.#end, end);
  }
}

import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';
import { alignDown, alignUp } from '../bytes/align.ts';
import { type BlockState, BlockStates } from './block-states.ts';
import { RangeLock } from './range-lock.ts';

/** How `overlayFilter` keeps changes. */
export interface OverlayOptions {
  /** The size in bytes, `base.size` where nothing is given; what is past the base's end reads as zeros. */
  readonly size?: number;
  /** The granularity of copying, in bytes, a power of two; 4096 where nothing is given. */
  readonly blockSize?: number;
}

/**
 * A device that reads as `base` and keeps what is written in `top`, at the same offsets: copy-on-write. The base is
 * only read. What `top` holds at first does not matter, and which of it counts is known in memory alone (2 bits a
 * block), so the changes last as long as the overlay. Disposing disposes of both.
 *
 * @throws RangeError for a size or block size that cannot be, or a `top` smaller than the overlay
 */
export function overlayFilter(base: BlockDevice, top: BlockDevice, options: OverlayOptions = {}): BlockDevice {
  const { size = base.size, blockSize = 4096 } = options;
  if (!(Number.isSafeInteger(size) && size >= 0)) throw new RangeError(`an overlay of ${size} bytes`);
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= 1)) throw new RangeError(`blocks of ${blockSize} bytes`);
  if (top.size < size) throw new RangeError(`an overlay of ${size} bytes on a device of ${top.size}`);
  return new OverlayDevice(base, top, { size, blockSize, states: new BlockStates(Math.ceil(size / blockSize)) });
}

/** What an overlay knows from somewhere: its size and that of its blocks in bytes, and what `top` holds of them. */
export interface KnownOverlay {
  readonly size: number;
  readonly blockSize: number;
  /** Belongs to the overlay, which changes it. */
  readonly states: BlockStates;
}

/** Like `overlayFilter`, over a `top` of which is known what it holds. */
export function knownOverlay(base: BlockDevice, top: BlockDevice, known: KnownOverlay): BlockDevice {
  return new OverlayDevice(base, top, known);
}

/**
 * Requests that change states hold the blocks they touch, so that two of them never fill the rest of one block at
 * the same time. Those that find all their blocks to be data, and reads, need not: the base never changes, and a
 * block becomes data only after all of it is in `top`.
 */
class OverlayDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #base: BlockDevice;
  readonly #top: BlockDevice;
  readonly #states: BlockStates;
  readonly #lock = new RangeLock();

  constructor(base: BlockDevice, top: BlockDevice, { size, blockSize, states }: KnownOverlay) {
    this.size = size;
    this.blockSize = blockSize;
    this.supports = { write: top.supports.write, trim: top.supports.write, zero: top.supports.write, extents: true };
    this.#base = base;
    this.#top = top;
    this.#states = states;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const end = offset + target.length;
    const runEnd = this.#runEnd(offset, end);
    if (runEnd === end) return this.#readRun(target, offset, this.#stateAt(offset));
    return runSteps(this.#readRuns(target, offset));
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    const first = Math.floor(offset / this.blockSize);
    const end = Math.ceil((offset + source.length) / this.blockSize);
    if (this.#states.isData(first, end)) return this.#top.write(source, offset);
    const isWhole = offset === first * this.blockSize && source.length === (end - first) * this.blockSize;
    if (isWhole && this.#lock.conflict(first, end) === undefined) return this.#writeWhole(source, offset, first, end);
    return runSteps(this.#writeFilling(source, offset, first, end));
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return runSteps(this.#clear(offset, offset + length, true));
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return runSteps(this.#clear(offset, offset + length, false));
  }

  flush(): MaybePromise<void> {
    return this.#top.flush();
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      const state = this.#stateAt(position);
      const runEnd = this.#runEnd(position, end);
      if (state === 'zero') yield { offset: position, length: runEnd - position, kind: 'zero' };
      else if (state === 'data') yield* this.#topExtents(position, runEnd);
      else yield* this.#baseExtents(position, runEnd);
      position = runEnd;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#base);
    stack.use(this.#top);
  }

  *#readRuns(target: Uint8Array, offset: number): Steps {
    const end = offset + target.length;
    for (let position = offset; position < end; ) {
      const runEnd = this.#runEnd(position, end);
      const part = target.subarray(position - offset, runEnd - offset);
      yield this.#readRun(part, position, this.#stateAt(position));
      position = runEnd;
    }
  }

  #readRun(target: Uint8Array, offset: number, state: BlockState): MaybePromise<void> {
    if (state === 'data') return this.#top.read(target, offset);
    if (state === 'absent') return this.#readBase(target, offset);
    target.fill(0);
  }

  #readBase(target: Uint8Array, offset: number): MaybePromise<void> {
    const length = Math.min(target.length, Math.max(this.#base.size - offset, 0));
    if (length < target.length) target.fill(0, length);
    if (length > 0) return this.#base.read(target.subarray(0, length), offset);
  }

  /** Hot: what a guest writes to new places (bench/overlay.ts). Nobody holds the blocks. */
  #writeWhole(source: Uint8Array, offset: number, first: number, end: number): MaybePromise<void> {
    const writing = this.#top.write(source, offset);
    if (writing !== undefined) return this.#holdUntil(writing, first, end);
    this.#states.set(first, end, 'data');
  }

  async #holdUntil(writing: Promise<void>, first: number, end: number): Promise<void> {
    using _hold = this.#lock.hold(first, end);
    await writing;
    this.#states.set(first, end, 'data');
  }

  *#writeFilling(source: Uint8Array, offset: number, first: number, end: number): Steps {
    yield* this.#waitFor(first, end);
    using _ = this.#lock.hold(first, end);
    yield* this.#fillAround(offset, offset + source.length);
    yield this.#top.write(source, offset);
    this.#states.set(first, end, 'data');
  }

  /** Makes a range zeros; of blocks that it covers in part, the rest is kept, or all where that is `exact`ly asked. */
  *#clear(offset: number, end: number, exact: boolean): Steps {
    const start = Math.min(alignUp(offset, this.blockSize), end);
    const stop = end === this.size ? end : Math.max(alignDown(end, this.blockSize), start);
    if (exact && offset < start) yield* this.#clearInBlock(offset, start);
    if (exact && stop < end) yield* this.#clearInBlock(stop, end);
    if (start < stop) yield* this.#clearBlocks(start / this.blockSize, Math.ceil(stop / this.blockSize));
  }

  /** Zeroes a part of one block. */
  *#clearInBlock(offset: number, end: number): Steps {
    const index = Math.floor(offset / this.blockSize);
    yield* this.#waitFor(index, index + 1);
    using _ = this.#lock.hold(index, index + 1);
    if (this.#states.get(index) === 'zero') return;
    yield* this.#fillAround(offset, end);
    yield this.#top.zero(offset, end - offset);
    this.#states.set(index, index + 1, 'data');
  }

  *#clearBlocks(first: number, end: number): Steps {
    yield* this.#waitFor(first, end);
    using _ = this.#lock.hold(first, end);
    const firstData = this.#states.nextData(first, end);
    this.#states.set(first, end, 'zero');
    // What the top holds there does not count from here on, so its space can go.
    if (firstData === end || !this.#top.supports.trim) return;
    const offset = firstData * this.blockSize;
    yield this.#top.trim(offset, Math.min(end * this.blockSize, this.size) - offset);
  }

  *#waitFor(first: number, end: number): Steps {
    for (let conflict = this.#lock.conflict(first, end); conflict; conflict = this.#lock.conflict(first, end))
      yield conflict;
  }

  /** Brings into `top` what the first and last block of a range hold outside of it, where that is not there yet. */
  *#fillAround(offset: number, end: number): Steps {
    const { blockSize } = this;
    yield* this.#fill(alignDown(offset, blockSize), offset);
    yield* this.#fill(end, Math.min(alignUp(end, blockSize), this.size));
  }

  /** The range lies in one block, at its start or end; it may be empty. */
  *#fill(offset: number, end: number): Steps {
    if (offset >= end) return;
    const state = this.#stateAt(offset);
    if (state === 'data') return;
    const content = new Uint8Array(end - offset);
    if (state === 'absent') yield this.#readBase(content, offset);
    yield this.#top.write(content, offset);
  }

  async *#topExtents(offset: number, end: number): AsyncGenerator<Extent, undefined> {
    for await (const extent of this.#top.extents(offset, end - offset)) {
      yield extent.kind === 'data' ? extent : { offset: extent.offset, length: extent.length, kind: 'zero' };
    }
  }

  async *#baseExtents(offset: number, end: number): AsyncGenerator<Extent, undefined> {
    const baseEnd = Math.max(Math.min(end, this.#base.size), offset);
    if (baseEnd > offset) yield* this.#base.extents(offset, baseEnd - offset);
    if (end > baseEnd) yield { offset: baseEnd, length: end - baseEnd, kind: 'hole' };
  }

  #stateAt(offset: number): BlockState {
    return this.#states.get(Math.floor(offset / this.blockSize));
  }

  /** Where the run of bytes in the same state as byte `offset` ends, at most `end`. */
  #runEnd(offset: number, end: number): number {
    const { blockSize } = this;
    const runEnd = this.#states.runEnd(Math.floor(offset / blockSize), Math.ceil(end / blockSize));
    return Math.min(runEnd * blockSize, end);
  }
}

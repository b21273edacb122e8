import {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  isResizable,
  type MaybePromise,
  type ResizableDevice,
} from '../block/block-device.ts';
import { type MemoryDevice, memoryDevice } from '../block/memory-device.ts';
import { alignDown, alignUp } from '../bytes/align.ts';
import { type Interval, IntervalSet } from '../bytes/interval-set.ts';
import { randomBelow, seededRandom } from './seeded-random.ts';

/** What a disk writes as a whole or not at all, in bytes. */
const sectorSize = 512;
const maximumPieceCount = 4096;
const copyLength = 2 ** 20;
const wholeDevice = Number.MAX_SAFE_INTEGER;

/**
 * Something that changed a device, or made changes durable; offset and length in bytes, 0 of a flush. The offset of a
 * `resize` is the new size.
 */
export interface RecordedEvent {
  readonly kind: 'write' | 'zero' | 'trim' | 'resize' | 'flush';
  readonly offset: number;
  readonly length: number;
}

/** What has become of the changes that no flush had made durable when the power went. Without either they are there. */
export interface ReplayOptions {
  /** None of them is there. */
  readonly dropUnsynced?: boolean;
  /** Each sector is as it was at some moment since: one for each, as this seed has it. */
  readonly reorderSeed?: number;
}

/** A device that remembers everything that was done to it. */
export interface RecordingDevice extends BlockDevice {
  /** Changes in the order in which they were asked for, and flushes where they were done. */
  readonly events: readonly RecordedEvent[];
  /**
   * A new memory device that holds what this one would after a power cut, after the first `eventCount` events.
   *
   * @throws RangeError for more events than there are
   */
  replay(eventCount: number, options?: ReplayOptions): MemoryDevice;
}

/**
 * Records changes and flushes, and replays every state in which a power cut could leave the disk: what was done
 * before a flush was asked for that succeeded is there, and of the rest what may be. It tests that those who write
 * flush where they must. The device's content at the start, and every change, are kept in memory.
 */
export async function recordFilter(device: ResizableDevice): Promise<RecordingDevice & ResizableDevice>;
export async function recordFilter(device: BlockDevice): Promise<RecordingDevice>;
export async function recordFilter(device: BlockDevice): Promise<RecordingDevice> {
  const before = await copyOf(device);
  return isResizable(device) ? new ResizableRecorder(device, before) : new Recorder(device, before);
}

class Change implements RecordedEvent {
  readonly kind: 'write' | 'zero' | 'trim' | 'resize';
  readonly offset: number;
  readonly length: number;
  /** What was written; zeros where nothing is given. */
  readonly content: Uint8Array | undefined;
  isDone = false;
  /** The index of the flush that made it durable. */
  syncIndex = Number.POSITIVE_INFINITY;

  constructor(kind: Change['kind'], offset: number, length: number, content?: Uint8Array) {
    this.kind = kind;
    this.offset = offset;
    this.length = length;
    this.content = content;
  }

  /** Makes the part of the change that lies from byte `start` up to byte `end` of the disk. */
  apply(target: MemoryDevice, start = this.offset, end = this.offset + this.length): void {
    if (this.kind === 'resize') target.resize(this.offset);
    else if (this.content === undefined) target.zero(start, end - start);
    else target.write(this.content.subarray(start - this.offset, end - this.offset), start);
  }
}

class Recorder implements RecordingDevice {
  readonly events: RecordedEvent[] = [];
  readonly #device: BlockDevice;
  readonly #before: MemoryDevice;
  /** The changes among `events`. */
  readonly #changes = new Map<number, Change>();

  constructor(device: BlockDevice, before: MemoryDevice) {
    this.#device = device;
    this.#before = before;
  }

  get size(): number {
    return this.#device.size;
  }

  get blockSize(): number {
    return this.#device.blockSize;
  }

  get supports(): DeviceSupport {
    return this.#device.supports;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#device.read(target, offset);
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.#device.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    const change = this.record(new Change('write', offset, source.length, source.slice()));
    return finish(this.#device.write(source, offset), change);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    const change = this.record(new Change('zero', offset, length));
    return finish(this.#device.zero(offset, length), change);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    const change = this.record(new Change('trim', offset, length));
    return finish(this.#device.trim(offset, length), change);
  }

  flush(): MaybePromise<void> {
    // What is done only while the flush is under way, it need not cover.
    const covered = [...this.#changes.values()].filter((change) => change.isDone);
    const pending = this.#device.flush();
    if (pending === undefined) return this.#recordFlush(covered);
    return pending.then(() => this.#recordFlush(covered));
  }

  replay(eventCount: number, options: ReplayOptions = {}): MemoryDevice {
    if (!(Number.isInteger(eventCount) && eventCount >= 0 && eventCount <= this.events.length)) {
      throw new RangeError(`a replay of ${eventCount} events, of which there are ${this.events.length}`);
    }
    const device = copyInMemory(this.#before);
    const changes = [...this.#changes].filter(([index]) => index < eventCount).map(([, change]) => change);
    if (options.dropUnsynced !== true && options.reorderSeed === undefined) {
      for (const change of changes) change.apply(device);
      return device;
    }
    for (const change of changes) if (change.syncIndex < eventCount) change.apply(device);
    if (options.dropUnsynced === true || options.reorderSeed === undefined) return device;
    const unsynced = changes.filter((change) => change.syncIndex >= eventCount);
    applyInPart(unsynced, device, seededRandom(options.reorderSeed));
    return device;
  }

  protected record(change: Change): Change {
    this.#changes.set(this.events.length, change);
    this.events.push(change);
    return change;
  }

  #recordFlush(covered: readonly Change[]): void {
    for (const change of covered) change.syncIndex = Math.min(change.syncIndex, this.events.length);
    this.events.push({ kind: 'flush', offset: 0, length: 0 });
  }
}

class ResizableRecorder extends Recorder implements ResizableDevice {
  readonly #resizable: ResizableDevice;

  constructor(device: ResizableDevice, before: MemoryDevice) {
    super(device, before);
    this.#resizable = device;
  }

  resize(size: number): MaybePromise<void> {
    const change = this.record(new Change('resize', size, 0));
    return finish(this.#resizable.resize(size), change);
  }
}

/** Marks a change done when it is; one that fails is never durable, and may be there in part. */
function finish(pending: MaybePromise<void>, change: Change): MaybePromise<void> {
  if (pending !== undefined) return pending.then(() => finish(undefined, change));
  change.isDone = true;
}

/**
 * Makes each change as a whole, not at all, or in some of its sectors, about as often each. A sector that missed one
 * change misses those after it: a disk writes sectors back in any order, but each as it was at one moment. A resizing
 * that is missed has all changes behind the new size missed, too.
 */
function applyInPart(changes: readonly Change[], device: MemoryDevice, random: () => number): void {
  const missed = new IntervalSet();
  for (const change of changes) {
    const probability = randomBelow(random, 3) / 2;
    if (change.kind === 'resize') {
      const isFirst = missed.intersect(change.offset, wholeDevice).next().done === true;
      if (isFirst && random() < probability) change.apply(device);
      else missed.add(change.offset, wholeDevice);
      continue;
    }
    for (const { offset, end } of pieces(change)) {
      if (random() >= probability) missed.add(alignDown(offset, sectorSize), alignUp(end, sectorSize));
      for (const gap of missed.gaps(offset, end)) change.apply(device, gap.offset, gap.end);
    }
  }
}

/** A change cut where sectors meet; a very long one where some of them do. */
function* pieces({ offset, length }: Change): Generator<Interval, undefined> {
  const pieceLength = sectorSize * Math.ceil(length / (sectorSize * maximumPieceCount));
  const end = offset + length;
  for (let start = offset; start < end; ) {
    const pieceEnd = Math.min(alignDown(start, pieceLength) + pieceLength, end);
    yield { offset: start, end: pieceEnd };
    start = pieceEnd;
  }
}

async function copyOf(device: BlockDevice): Promise<MemoryDevice> {
  const copy = memoryDevice(device.size);
  if (device.size === 0) return copy;
  const buffer = new Uint8Array(copyLength);
  for await (const { offset, length, kind } of device.extents(0, device.size)) {
    for (let done = 0; done < length && kind === 'data'; done += copyLength) {
      const part = buffer.subarray(0, Math.min(copyLength, length - done));
      await device.read(part, offset + done);
      copy.write(part, offset + done);
    }
  }
  return copy;
}

function copyInMemory(device: MemoryDevice): MemoryDevice {
  const copy = memoryDevice(device.size);
  for (const { offset, length, kind } of device.extents(0, device.size)) {
    if (kind !== 'data') continue;
    const content = new Uint8Array(length);
    device.read(content, offset);
    copy.write(content, offset);
  }
  return copy;
}

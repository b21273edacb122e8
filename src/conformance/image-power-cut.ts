import assert from 'node:assert/strict';
import type { ResizableDevice } from '../block/block-device.ts';
import type { MemoryDevice } from '../block/memory-device.ts';
import { type RecordedEvent, type RecordingDevice, type ReplayOptions, recordFilter } from '../filter/record.ts';
import { randomBelow, seededRandom } from '../filter/seeded-random.ts';
import type { FormatDevice } from '../format/image-format.ts';
import { contentOf } from './device-content.ts';

const sectorSize = 512;

/** What is done to an image, and how. */
export interface HistoryOptions {
  /** Chooses what is done. */
  readonly seed: number;
  readonly operationCount: number;
  /** The longest write, in bytes. */
  readonly maximumLength: number;
  /** Whether the disk is made smaller and larger, too. */
  readonly resizes?: boolean;
  /** Opens the image to be written. */
  readonly open: (file: ResizableDevice) => Promise<FormatDevice>;
}

/** One change, and when it was: counts of recorded events before it, and when it was done. */
interface Operation {
  readonly kind: 'write' | 'zero' | 'trim' | 'resize' | 'flush';
  readonly first: number;
  readonly end: number;
  /** What every byte of its sectors is afterwards. */
  readonly value: number;
  readonly start: number;
  readonly done: number;
}

/** A state in which a power cut could have left the file. */
export interface PowerCut {
  readonly file: MemoryDevice;
  readonly description: string;
  /** Fails where the disk holds what it cannot: each sector is what was there at the last flush, or was written since. */
  assertContent(disk: FormatDevice): Promise<void>;
}

/** A history of random changes to an image that can be cut off anywhere. */
export class ImageHistory {
  readonly #recorder: RecordingDevice;
  readonly #operations: readonly Operation[];
  /** The disk's content before. */
  readonly #before: Uint8Array;

  private constructor(recorder: RecordingDevice, operations: readonly Operation[], before: Uint8Array) {
    this.#recorder = recorder;
    this.#operations = operations;
    this.#before = before;
  }

  /** Makes a history on the image in `file`, which changes. */
  static async record(file: MemoryDevice, options: HistoryOptions): Promise<ImageHistory> {
    const recorder = await recordFilter(file as ResizableDevice);
    const random = seededRandom(options.seed);
    const operations: Operation[] = [];
    await using disk = await options.open(recorder);
    const before = await contentOf(disk);
    for (let index = 0; index < options.operationCount; index += 1) {
      const wanted = choose(disk.size, index, options, random);
      const start = recorder.events.length;
      await perform(disk, wanted);
      operations.push({ ...wanted, start, done: recorder.events.length });
    }
    return new ImageHistory(recorder, operations, before);
  }

  /** How many events can be the last one. */
  get eventCount(): number {
    return this.#recorder.events.length;
  }

  /** How many events there were just after, and a few before and after, each one that `isMeant` picks. */
  eventCountsNear(isMeant: (event: RecordedEvent) => boolean): number[] {
    const counts = new Set<number>();
    for (const [index, event] of this.#recorder.events.entries()) {
      for (let count = index - 1; isMeant(event) && count <= index + 3; count += 1) {
        if (count >= 0 && count <= this.eventCount) counts.add(count);
      }
    }
    return [...counts];
  }

  /** The state after `eventCount` events. */
  cut(eventCount: number, replay: ReplayOptions): PowerCut {
    return {
      file: this.#recorder.replay(eventCount, replay),
      description: `after ${eventCount} of ${this.eventCount} events, ${JSON.stringify(replay)}`,
      assertContent: (disk) => this.#assertContent(disk, eventCount),
    };
  }

  async #assertContent(disk: FormatDevice, eventCount: number): Promise<void> {
    const content = await contentOf(disk);
    const allowed = this.#allowed(eventCount);
    for (let sector = 0; sector < content.length / sectorSize; sector += 1) {
      const bytes = content.subarray(sector * sectorSize, (sector + 1) * sectorSize);
      const values = allowed.get(sector) ?? unchanged;
      if (values.has(bytes[0]!) && Buffer.compare(bytes, sectorOf(bytes[0]!)) === 0) continue;
      const old = this.#before.subarray(sector * sectorSize, (sector + 1) * sectorSize);
      const isOld = Buffer.compare(old.length === 0 ? sectorOf(0) : old, bytes) === 0;
      assert.ok(values.has(before) && isOld, `sector ${sector} holds ${bytes[0]}, and may ${[...values]}`);
    }
  }

  /** For each sector that was changed, the bytes that it may be full of. */
  #allowed(eventCount: number): Map<number, Set<number>> {
    const begun = this.#operations.filter(({ start }) => start < eventCount);
    const flushed = begun.findLastIndex(({ kind, done }) => kind === 'flush' && done <= eventCount);
    const allowed = new Map<number, Set<number>>();
    for (const [index, { end, first, kind, value }] of begun.entries()) {
      for (let sector = first; sector < end; sector += 1) {
        const isCertain = index < flushed && kind !== 'trim';
        const values = isCertain ? new Set<number>() : (allowed.get(sector) ?? new Set(unchanged));
        allowed.set(sector, values.add(value));
      }
    }
    return allowed;
  }
}

const sectors = Array.from({ length: 256 }, (_, value) => new Uint8Array(sectorSize).fill(value));

/** A sector full of one byte. */
function sectorOf(value: number): Uint8Array {
  return sectors[value]!;
}

/** Stands for what was there at first. */
const before = -1;
const unchanged: ReadonlySet<number> = new Set([before]);

function choose(
  size: number,
  index: number,
  { maximumLength, resizes = false }: HistoryOptions,
  random: () => number,
): Omit<Operation, 'start' | 'done'> {
  const sectors = size / sectorSize;
  const first = randomBelow(random, sectors);
  const end = Math.min(sectors, first + 1 + randomBelow(random, maximumLength / sectorSize));
  const turn = randomBelow(random, resizes ? 13 : 12);
  if (turn < 7) return { kind: 'write', first, end, value: 1 + (index % 250) };
  if (turn < 8) return { kind: 'zero', first, end, value: 0 };
  if (turn < 10) return { kind: 'trim', first, end, value: 0 };
  if (turn < 12) return { kind: 'flush', first: 0, end: 0, value: 0 };
  // What was past the end is zeros when the disk has grown again.
  return { kind: 'resize', first: Math.ceil(sectors / 2) + randomBelow(random, sectors), end: sectors, value: 0 };
}

async function perform(disk: FormatDevice, { end, first, kind, value }: Omit<Operation, 'start' | 'done'>) {
  const [offset, length] = [first * sectorSize, (end - first) * sectorSize];
  if (kind === 'flush') await disk.flush();
  else if (kind === 'resize') await disk.resize?.(offset);
  else if (kind === 'write') await disk.write(new Uint8Array(length).fill(value), offset);
  else await disk[kind](offset, length);
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { MaybePromise } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { testBlockDevice } from '../../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { faultFilter } from '../../filter/fault.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';
import { type RecordingDevice, recordFilter } from '../../filter/record.ts';
import { randomBelow, seededRandom } from '../../filter/seeded-random.ts';
import { encodeMapHeader, mapHeaderLength, mapLength } from './map-header.ts';
import { type LayerFiles, OverlayLayer } from './overlay-layer.ts';

const id = '00112233445566778899aabbccddeeff';

/** The files of an overlay in which nothing was written. */
function newFiles(size: number): LayerFiles {
  const map = memoryDevice(mapLength(size));
  map.write(encodeMapHeader({ id, size }), 0);
  return { data: memoryDevice(size), map };
}

async function deviceOver(content: Uint8Array) {
  const layer = await OverlayLayer.open(newFiles(content.length), 'overlay');
  return layer.over(memoryDevice(content));
}

testBlockDevice('an overlay of a store', deviceOver, { synchronous: true, sparse: true });
testBlockDevice(
  'an overlay of a store on slow disks',
  async (content) => {
    const { data, map } = newFiles(content.length);
    const slow = { delayMs: 0, jitterMs: 0.1, seed: 1 };
    const layer = await OverlayLayer.open({ data: delayFilter(data, slow), map: delayFilter(map, slow) }, 'overlay');
    return layer.over(memoryDevice(content));
  },
  { sizes: [511, 20_001], runs: 5 },
);

describe('OverlayLayer', () => {
  test('holds what was flushed when it is opened again', async () => {
    const files = newFiles(200_000_000);
    const base = memoryDevice(200_000_000);
    base.write(pattern(100_000, 1), 0);
    const layer = await OverlayLayer.open(files, 'overlay');
    const device = layer.over(base);
    await device.write(pattern(10_000, 2), 5000);
    await device.zero(20_000, 8192);
    await device.write(pattern(70_000_000, 3), 100_000_000);
    await device.flush();
    const again = (await OverlayLayer.open(files, 'overlay')).over(base);
    assertEqualBytes(await contentOf(again, 0, 120_000), await contentOf(device, 0, 120_000), 'the start');
    assertEqualBytes(await contentOf(again, 100_000_000, 70_000_000), pattern(70_000_000, 3), 'the rest');
  });

  test('forgets what was not flushed', async () => {
    const files = newFiles(10_000);
    const base = memoryDevice(pattern(10_000, 1));
    await (await OverlayLayer.open(files, 'overlay')).over(base).write(pattern(10_000, 2), 0);
    assertEqualBytes(
      await contentOf((await OverlayLayer.open(files, 'overlay')).over(base)),
      pattern(10_000, 1),
      'all',
    );
  });

  test('a flush that failed is never taken back', async () => {
    const { data, map } = newFiles(10_000);
    const faulty = faultFilter(data, { rules: [{ operations: ['flush'], times: 1 }] });
    const layer = await OverlayLayer.open({ data: faulty, map }, 'overlay');
    const device = layer.over(memoryDevice(10_000));
    await device.write(pattern(4096, 1), 0);
    await assert.rejects(async () => layer.flush(), { code: 'IO' });
    await assert.rejects(async () => layer.flush(), { code: 'IO' });
  });

  test('a flush that finds no space for the map can be tried again', async () => {
    const { data, map } = newFiles(10_000);
    const rules = [{ operations: ['write'], times: 1, code: 'NO_SPACE' }] as const;
    const layer = await OverlayLayer.open({ data, map: faultFilter(map, { rules }) }, 'overlay');
    await layer.over(memoryDevice(10_000)).write(pattern(4096, 1), 0);
    await assert.rejects(async () => layer.flush(), { code: 'NO_SPACE' });
    await layer.flush();
    const again = (await OverlayLayer.open({ data, map }, 'overlay')).over(memoryDevice(10_000));
    assertEqualBytes(await contentOf(again, 0, 4096), pattern(4096, 1), 'what was written');
  });

  test('damage of its map is CORRUPT, and a map of another version UNSUPPORTED', async () => {
    const damages: ((files: LayerFiles) => void)[] = [
      ({ map }) => map.write(new Uint8Array([1]), 3),
      ({ map }) => map.write(new Uint8Array([1]), 20),
      ({ map }) => map.write(new Uint8Array([1]), 61),
      ({ map }) => map.write(new Uint8Array([0xff]), mapHeaderLength + 1),
    ];
    for (const damage of damages) {
      const files = newFiles(10_000_000);
      damage(files);
      await assert.rejects(OverlayLayer.open(files, 'overlay'), { code: 'CORRUPT' });
    }
    const files = newFiles(10_000);
    await assert.rejects(OverlayLayer.open({ ...files, data: memoryDevice(9999) }, 'overlay'), { code: 'CORRUPT' });
    await assert.rejects(OverlayLayer.open({ ...files, map: memoryDevice(7) }, 'overlay'), { code: 'CORRUPT' });
  });
});

/** Answers a flush later, so that others write meanwhile. */
class SlowFlush extends ForwardingDevice {
  override async flush(): Promise<void> {
    await setImmediate();
    await super.flush();
  }
}

const sectorSize = 512;
const sectorCount = 64 * 8;

/** A change of sectors, or a flush; `done` is the moment at which a flush had returned. */
interface Step {
  readonly kind: 'write' | 'zero' | 'trim' | 'flush';
  readonly first: number;
  readonly end: number;
  readonly value: number;
  done: number;
}

/** How much each of the two files had been through at a moment, and how many steps had begun. */
interface Moment {
  readonly data: number;
  readonly map: number;
  readonly begun: number;
}

class History {
  readonly base = pattern(sectorCount * sectorSize, 5);
  readonly steps: Step[] = [];
  readonly moments: Moment[] = [];
  readonly #data: RecordingDevice;
  readonly #map: RecordingDevice;

  constructor(data: RecordingDevice, map: RecordingDevice) {
    this.#data = data;
    this.#map = map;
  }

  async record(random: () => number, stepCount: number): Promise<void> {
    const files = { data: new Noting(this.#data, this), map: new Noting(this.#map, this) };
    const device = (await OverlayLayer.open(files, 'overlay')).over(memoryDevice(this.base.slice()));
    const flushes: Promise<void>[] = [];
    for (let index = 0; index < stepCount; index += 1) {
      const first = randomBelow(random, sectorCount);
      const end = Math.min(sectorCount, first + 1 + randomBelow(random, 24));
      const kind = (['write', 'write', 'write', 'zero', 'trim', 'flush'] as const)[randomBelow(random, 6)]!;
      const step: Step = { kind, first, end, value: kind === 'write' ? 1 + (index % 250) : 0, done: Infinity };
      this.steps.push(step);
      const [offset, length] = [first * sectorSize, (end - first) * sectorSize];
      if (kind === 'write') await device.write(new Uint8Array(length).fill(step.value), offset);
      else if (kind !== 'flush') await device[kind](offset, length);
      else {
        flushes.push(this.#noteWhenDone(device.flush(), step));
        if (randomBelow(random, 2) === 0) await Promise.all(flushes);
      }
      if (randomBelow(random, 3) === 0) await setImmediate();
    }
    await Promise.all(flushes);
    this.note();
  }

  async #noteWhenDone(flushing: MaybePromise<void>, step: Step): Promise<void> {
    await flushing;
    step.done = this.moments.length;
  }

  note(): void {
    const [data, map] = [this.#data.events.length, this.#map.events.length];
    this.moments.push({ data, map, begun: this.steps.length });
  }

  /** Cuts the power at a moment, opens the overlay again and looks at each sector. */
  async check(momentIndex: number, seed: number): Promise<void> {
    const moment = this.moments[momentIndex]!;
    const data = this.#data.replay(moment.data, { reorderSeed: seed });
    const map = this.#map.replay(moment.map, { reorderSeed: seed + 1 });
    const device = (await OverlayLayer.open({ data, map }, 'overlay')).over(memoryDevice(this.base.slice()));
    const content = await contentOf(device);
    const begun = this.steps.slice(0, moment.begun);
    const flushed = begun.findLastIndex(({ done }) => done <= momentIndex);
    for (let sector = 0; sector < sectorCount; sector += 1) {
      const bytes = content.subarray(sector * sectorSize, (sector + 1) * sectorSize);
      const values = this.#allowed(begun, flushed, sector);
      const isOld = Buffer.compare(bytes, this.base.subarray(sector * sectorSize, (sector + 1) * sectorSize)) === 0;
      const isUniform = Buffer.compare(bytes, new Uint8Array(sectorSize).fill(bytes[0]!)) === 0;
      if ((isUniform && values.has(bytes[0]!)) || (isOld && values.has('base'))) continue;
      assert.fail(`sector ${sector} at moment ${momentIndex} holds ${bytes[0]}…, and may ${[...values]}; seed ${seed}`);
    }
  }

  #allowed(begun: readonly Step[], flushed: number, sector: number): Set<number | 'base'> {
    let values = new Set<number | 'base'>(['base']);
    for (const [index, { kind, first, end, value }] of begun.entries()) {
      if (kind === 'flush' || sector < first || sector >= end) continue;
      // A trim may leave the ends of its range as they are.
      if (index < flushed && kind !== 'trim') values = new Set();
      values.add(value);
    }
    return values;
  }
}

/** Notes the moments just before and after everything that happens to a file. */
class Noting extends ForwardingDevice {
  readonly #history: History;

  constructor(device: RecordingDevice, history: History) {
    super(device);
    this.#history = history;
  }

  override write(source: Uint8Array, offset: number) {
    this.#history.note();
    return super.write(source, offset);
  }

  override trim(offset: number, length: number) {
    this.#history.note();
    return super.trim(offset, length);
  }

  override async flush(): Promise<void> {
    this.#history.note();
    await super.flush();
    this.#history.note();
  }
}

test('a power cut at any moment leaves what was flushed, and of the rest old or new sectors', async (t) => {
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  for (let round = 0; round < 12; round += 1) {
    const { data, map } = newFiles(sectorCount * sectorSize);
    const history = new History(await recordFilter(new SlowFlush(data)), await recordFilter(new SlowFlush(map)));
    await history.record(random, 60);
    for (let cut = 0; cut < 60; cut += 1) {
      await history.check(randomBelow(random, history.moments.length), randomBelow(random, 2 ** 31));
    }
  }
});

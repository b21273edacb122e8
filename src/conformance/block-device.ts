import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { delayFilter } from '../filter/delay.ts';
import { testConcurrentRequests } from './block-device-concurrency.ts';
import { testExtents } from './block-device-extents.ts';
import { testModel } from './block-device-model.ts';
import { testReading } from './block-device-reading.ts';
import { testWriting } from './block-device-writing.ts';

/** Makes a device that holds a copy of `content`, no more and no less. Each test disposes of those that it gets. */
export type BlockDeviceFactory = (content: Uint8Array) => MaybePromise<BlockDevice>;

/** What `testBlockDevice` may expect of the devices, and how long it takes. */
export interface BlockDeviceSuiteOptions {
  /** Why they cannot be tested here; false to test them. */
  readonly skip?: string | false;
  /** Whether they can be written; true where nothing is given. */
  readonly writable?: boolean;
  /** Whether all but `flush` must finish synchronously. */
  readonly synchronous?: boolean;
  /** Whether a new device must know that content of zeros is no data. */
  readonly sparse?: boolean;
  /** The sizes to test, in bytes; all over 0. */
  readonly sizes?: readonly number[];
  /** How many random sequences of requests are tried; 20 where nothing is given. */
  readonly runs?: number;
}

/** The options with nothing left out, as the parts of the suite take them. */
export type BlockDeviceExpectations = Required<BlockDeviceSuiteOptions>;

const defaults: BlockDeviceExpectations = {
  skip: false,
  writable: true,
  synchronous: false,
  sparse: false,
  sizes: [1, 511, 4096, 65536, 140_001],
  runs: 20,
};

/**
 * The conformance suite of `BlockDevice`: a test for every clause of the interface, on the devices that `factory`
 * makes, and all of it once more through a filter that makes every request wait.
 */
export function testBlockDevice(
  name: string,
  factory: BlockDeviceFactory,
  options: BlockDeviceSuiteOptions = {},
): void {
  const expected = { ...defaults, ...options };
  const delayed: BlockDeviceFactory = async (content) => delayFilter(await factory(content));
  describe(name, { skip: expected.skip }, () => testClauses(factory, expected));
  describe(`${name}, through a filter`, { skip: expected.skip }, () =>
    testClauses(delayed, { ...expected, synchronous: false }),
  );
}

function testClauses(factory: BlockDeviceFactory, expected: BlockDeviceExpectations): void {
  testProperties(factory, expected);
  testReading(factory, expected);
  testExtents(factory, expected);
  if (!expected.writable) return;
  testWriting(factory, expected);
  testConcurrentRequests(factory, expected);
  testModel(factory, expected);
}

function testProperties(factory: BlockDeviceFactory, { sizes, writable }: BlockDeviceExpectations): void {
  test('size is that of the content, blockSize a power of two, supports what it should be', async () => {
    for (const size of sizes) {
      await using device = await factory(new Uint8Array(size));
      assert.equal(device.size, size);
      assert.ok(device.blockSize >= 1 && Number.isInteger(Math.log2(device.blockSize)), `${device.blockSize}`);
      assert.equal(device.supports.write, writable);
      if (!writable) assert.deepEqual([device.supports.trim, device.supports.zero], [false, false]);
    }
  });

  test('flush returns, of a new device and of one that has been read', async () => {
    await using device = await factory(new Uint8Array(sizes[0]!));
    await device.flush();
    await device.read(new Uint8Array(1), 0);
    await device.flush();
  });

  test('disposing twice is fine', async () => {
    const device = await factory(new Uint8Array(sizes[0]!));
    await device[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice, Extent } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { faultFilter } from '../../filter/fault.ts';
import { statsFilter } from '../../filter/stats.ts';
import { type CopyDeviceOptions, copyDevice } from './copy-device.ts';
import { copyPieces } from './copy-pieces.ts';
import { verifyCopy } from './verify-copy.ts';

const size = 1_000_003;

/** Data, zeros that are written, and holes. */
function someContent(): Uint8Array {
  const content = new Uint8Array(size);
  content.set(pattern(300_001, 1), 70_000);
  content.set(pattern(5000, 2), 600_000);
  content.set(pattern(3, 3), size - 3);
  return content;
}

const ways: CopyDeviceOptions[] = [
  {},
  { requests: 1, requestSize: 4096 },
  { requests: 7, requestSize: 65536, sparse: 512 },
  { sparse: 0, extents: false },
  { allocated: true },
  { extents: false },
];
for (const options of ways) {
  test(`all of a device is copied over another one: ${JSON.stringify(options)}`, async () => {
    for (const isLate of [false, true]) {
      const content = someContent();
      const [source, target] = [memoryDevice(content), memoryDevice(pattern(size + 10, 9))];
      const late = (device: BlockDevice) => (isLate ? delayFilter(device, { jitterMs: 2 }) : device);
      let done = 0;
      const onProgress = (count: number) => {
        done += count;
      };
      const { dataLength } = await copyDevice(late(source), late(target), { ...options, onProgress });
      assert.equal(done, size);
      assert.ok(dataLength >= 305_004 && dataLength <= size, `${dataLength}`);
      assertEqualBytes(await contentOf(target, 0, size), content, 'the copy');
      assertEqualBytes(await contentOf(target, size, 10), pattern(size + 10, 9).subarray(size), 'behind it');
      await verifyCopy(source, target, options);
    }
  });
}

test('a target of zeros gets data only, and one that is to be allocated nothing but data', async () => {
  const source = memoryDevice(someContent());
  const empty = statsFilter(memoryDevice(size));
  await copyDevice(source, empty, { destinationIsZero: true });
  assertEqualBytes(await contentOf(empty), someContent(), 'the copy');
  assert.equal(empty.stats.zero.count, 0);
  const allocated = statsFilter(memoryDevice(size));
  const { dataLength } = await copyDevice(source, allocated, { allocated: true });
  assert.equal(allocated.stats.zero.count, 0);
  assert.ok(dataLength <= size);
});

test('a verification finds any byte that differs, in data, zeros and holes', async () => {
  const source = memoryDevice(someContent());
  for (const offset of [0, 70_000, 150_000, 370_001, 602_000, 900_000, size - 1]) {
    const target = memoryDevice(someContent());
    const byte = await contentOf(target, offset, 1);
    target.write(new Uint8Array([byte[0]! ^ 1]), offset);
    await assert.rejects(verifyCopy(source, delayFilter(target)), {
      code: 'IO',
      message: new RegExp(`differ at byte ${offset};`),
    });
  }
});

test('a failure of either side ends the copy, when what was under way is done', async () => {
  for (const operation of ['read', 'write', 'zero'] as const) {
    const rules = [{ operations: [operation], code: 'NO_SPACE' as const }];
    const failing = (device: BlockDevice) => faultFilter(delayFilter(device), { rules });
    const [source, target] = [memoryDevice(someContent()), statsFilter(delayFilter(memoryDevice(size)))];
    const copy = operation === 'read' ? copyDevice(failing(source), target) : copyDevice(source, failing(target));
    await assert.rejects(copy, { code: 'NO_SPACE' });
  }
});

test('who made the connections may close them at the first failure, which is the one that is thrown', async () => {
  const silent = Promise.withResolvers<void>();
  const source = memoryDevice(someContent());
  const first = delayFilter(source);
  const read = first.read.bind(first);
  first.read = (target, offset) => (offset === 65536 ? read(target, offset) : silent.promise);
  const rules = [{ operations: ['write' as const], code: 'NO_SPACE' as const }];
  const copy = copyDevice(first, faultFilter(memoryDevice(size), { rules }), {
    requestSize: 65536,
    onFailure: () => silent.reject(new Error('was closed')),
  });
  await assert.rejects(copy, { code: 'NO_SPACE' });
});

test('a signal stops a copy between devices that answer at once', async () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  const copy = copyDevice(memoryDevice(2 ** 30), memoryDevice(2 ** 30), {
    extents: false,
    sparse: 0,
    signal: controller.signal,
  });
  await assert.rejects(copy, { code: 'ABORTED' });
});

test('pieces cover a disk in order, whatever its extents, and are no longer than they may be', async () => {
  const extents = fc.array(
    fc.record({ length: fc.integer({ min: 1, max: 5000 }), kind: fc.constantFrom('data', 'zero', 'hole') }),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(extents, fc.constantFrom(64, 4096), fc.constantFrom(512, 100_000), async (all, ...lengths) => {
      const [dataLength, zeroLength] = lengths;
      const disk = diskOf(all as Extent[]);
      let end = 0;
      for await (const piece of copyPieces(disk, { dataLength, zeroLength, useExtents: true })) {
        assert.equal(piece.offset, end);
        assert.ok(piece.length > 0 && piece.length <= (piece.isZero ? zeroLength : dataLength));
        end += piece.length;
        for await (const { kind } of disk.extents(piece.offset, piece.length)) {
          assert.equal(kind !== 'data', piece.isZero);
        }
      }
      assert.equal(end, disk.size);
    }),
  );
});

/** Has these extents, one behind the other, and nothing else. */
function diskOf(kinds: readonly Pick<Extent, 'length' | 'kind'>[]): BlockDevice {
  const starts: number[] = [];
  let total = 0;
  for (const { length } of kinds) {
    starts.push(total);
    total += length;
  }
  const device = memoryDevice(total);
  device.extents = function* (offset: number, length: number) {
    for (const [index, { kind, length: extentLength }] of kinds.entries()) {
      const start = Math.max(starts[index]!, offset);
      const end = Math.min(starts[index]! + extentLength, offset + length);
      if (end > start) yield { offset: start, length: end - start, kind };
    }
  };
  return device;
}

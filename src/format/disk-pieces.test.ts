import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from '../filter/delay.ts';
import { type DiskRange, dataRanges } from './data-ranges.ts';
import { type DiskPiece, diskPieces } from './disk-pieces.ts';

/** A disk of `size` bytes whose extents call `data` what is in the ranges, and which holds a pattern there. */
function diskWith(size: number, data: readonly DiskRange[]): BlockDevice {
  const device = memoryDevice(size);
  for (const { length, offset } of data) void device.write(pattern(length, offset), offset);
  const runs = data.map((range) => ({ ...range, kind: 'data' as const }));
  return Object.assign(Object.create(device), {
    size,
    read: device.read.bind(device),
    extents: () => runs,
    [Symbol.asyncDispose]: async () => {},
  });
}

const disk = fc
  .tuple(fc.integer({ min: 1, max: 3_000_000 }), fc.array(fc.nat(), { maxLength: 12 }))
  .map(([size, cuts]) => {
    const places = [...new Set(cuts.map((cut) => cut % size))].sort((a, b) => a - b);
    const data: DiskRange[] = [];
    for (let index = 0; index + 1 < places.length; index += 2) {
      data.push({ offset: places[index]!, length: places[index + 1]! - places[index]! });
    }
    return diskWith(size, data);
  });

test('dataRanges are aligned, in order, apart from each other, and cover all data', async () => {
  const property = fc.asyncProperty(disk, fc.constantFrom(1, 512, 65536), async (source, alignment) => {
    const ranges = await Array.fromAsync(dataRanges(source, alignment));
    let last = -1;
    for (const { length, offset } of ranges) {
      assert.ok(offset > last && length > 0 && offset % alignment === 0);
      last = offset + length;
      assert.ok(last === source.size || last % alignment === 0);
    }
    for await (const { length, offset } of source.extents(0, source.size)) {
      assert.ok(ranges.some((range) => range.offset <= offset && offset + length <= range.offset + range.length));
    }
  });
  await fc.assert(property);
});

test('pieces are what the ranges hold, with zeros up to the alignment, late or at once', async () => {
  const property = fc.asyncProperty(disk, fc.constantFrom(512, 65536, 2 ** 21), async (source, alignment) => {
    const content = await contentOf(source);
    for (const device of [source, delayFilter(source)]) {
      let total = 0;
      for await (const piece of diskPieces(device, dataRanges(source, alignment), { alignment })) {
        const { bytes, length, offset } = piece;
        assert.ok(length <= Math.max(2 ** 20, alignment) && bytes.length % alignment === 0);
        const expected = Buffer.alloc(bytes.length);
        expected.set(content.subarray(offset, offset + length));
        assert.equal(Buffer.compare(bytes, expected), 0, `at ${offset}`);
        total += length;
      }
      const ranges = await Array.fromAsync(dataRanges(source, alignment));
      assert.equal(
        total,
        ranges.reduce((sum, { length }) => sum + length, 0),
      );
    }
  });
  await fc.assert(property, { numRuns: 30 });
});

test('a consumer may transfer a piece away, and others still get theirs', async () => {
  const source = memoryDevice(pattern(4 * 2 ** 20, 1));
  const kept: DiskPiece[] = [];
  for await (const piece of diskPieces(source, [{ offset: 0, length: source.size }], { alignment: 512 })) {
    kept.push({ ...piece, bytes: structuredClone(piece.bytes, { transfer: [piece.bytes.buffer] }) });
  }
  const joined = Buffer.concat(kept.map(({ bytes }) => bytes));
  assert.equal(Buffer.compare(joined, await contentOf(source)), 0);
});

test('leaving early waits for the reads that are under way', async () => {
  let underWay = 0;
  const slow = delayFilter(memoryDevice(8 * 2 ** 20), { delayMs: 5 });
  const counting: BlockDevice = Object.assign(Object.create(slow), {
    async read(target: Uint8Array, offset: number) {
      underWay += 1;
      await slow.read(target, offset);
      underWay -= 1;
    },
  });
  for await (const _piece of diskPieces(counting, [{ offset: 0, length: 8 * 2 ** 20 }], { alignment: 512 })) break;
  assert.equal(underWay, 0);
});

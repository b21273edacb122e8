import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import type { FormatDevice } from '../format/image-format.ts';
import { diffDisks } from './diff-disks.ts';
import type { FileDisk } from './file-disk.ts';

const chunk = 65536;

function diskOver(device: BlockDevice): FileDisk {
  return {
    ...{ kind: 'file', label: 'disk', device, image: device as FormatDevice, files: [], chain: [] },
    information: { format: 'raw', virtualSize: 0, fileSize: 0 },
    [Symbol.asyncDispose]: () => Promise.resolve(device[Symbol.asyncDispose]()),
  };
}

/** The chunks in which two contents differ, by comparing each, zeros standing past the end. */
function differentChunks(a: Uint8Array, b: Uint8Array): Set<number> {
  const size = Math.max(a.length, b.length);
  const different = new Set<number>();
  for (let index = 0; index < size; index += 1)
    if ((a[index] ?? 0) !== (b[index] ?? 0)) different.add(Math.floor(index / chunk));
  return different;
}

test('diffDisks finds the chunks in which two disks differ, whatever their sizes and holes', async () => {
  const size = fc.integer({ min: 0, max: 40 * chunk });
  const writes = fc.array(fc.record({ offset: fc.nat(40 * chunk), value: fc.integer({ min: 0, max: 3 }) }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(size, size, writes, writes, async (sizeA, sizeB, writesA, writesB) => {
      const contents = [new Uint8Array(sizeA), new Uint8Array(sizeB)] as const;
      for (const { offset, value } of writesA)
        for (const content of contents) content.fill(value, offset, offset + 100);
      for (const { offset, value } of writesB) contents[1].fill(value, offset, offset + 100);
      await using a = diskOver(memoryDevice(contents[0]));
      await using b = diskOver(memoryDevice(contents[1]));
      const ranges = await diffDisks(a, b);
      const found = new Set<number>();
      let end = -1;
      for (const { offset, length } of ranges) {
        assert.ok(offset > end && length > 0 && offset + length <= Math.max(sizeA, sizeB), 'in order and apart');
        end = offset + length;
        for (let position = offset; position < end; position += chunk) found.add(position / chunk);
      }
      assert.deepEqual(found, differentChunks(...contents));
    }),
    { numRuns: 40 },
  );
});

test('diffDisks stops when it is told to', async () => {
  await using a = diskOver(memoryDevice(new Uint8Array(chunk).fill(1)));
  await assert.rejects(diffDisks(a, a, { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { memoryDevice } from '../../block/memory-device.ts';
import { assertEqualBytes, contentOf } from '../../conformance/device-content.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { checkQcow2 } from './check/check-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';
import { wrapRaw } from './wrap-raw.ts';

test('wrapRaw makes an image around any disk, which is clean and holds the same', async () => {
  const clusterSize = fc.constantFrom(512, 4096, 65536);
  const writes = fc.array(fc.record({ place: fc.nat(2 ** 21), length: fc.integer({ min: 1, max: 200_000 }) }), {
    maxLength: 8,
  });
  const sectors = fc.integer({ min: 0, max: 5000 });
  await fc.assert(
    fc.asyncProperty(clusterSize, writes, sectors, async (cluster, places, sectorCount) => {
      const size = sectorCount * 512;
      const file = memoryDevice(size);
      for (const { length, place } of places) {
        const end = Math.min(size, place + length);
        if (end > place) file.write(new Uint8Array(end - place).fill((place % 255) + 1), place);
      }
      const before = await contentOf(file);
      const disk = sliceFilter(file, { length: size });
      const write = (bytes: Uint8Array, offset: number) => file.write(bytes, offset);
      const { end, header } = await wrapRaw(disk, { clusterSize: cluster, write });
      assertEqualBytes((await contentOf(file)).subarray(0, size), before, 'a raw disk until the header is there');
      assert.equal(file.size, end);
      assert.ok(header.subarray(0, 4).join() === [0x51, 0x46, 0x49, 0xfb].join());
      file.write(header, 0);
      const report = await checkQcow2(file, { name: 'test' });
      assert.deepEqual([report.corruptions, report.leaks, report.problems], [0, 0, []]);
      const image = await openQcow2(file, { name: 'test' });
      assertEqualBytes(await contentOf(image), before, 'the content');
    }),
    { numRuns: 60 },
  );
});

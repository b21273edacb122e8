import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf } from '../conformance/device-content.ts';
import { readOrRefusal } from '../conformance/image-format-damage.ts';
import { mixedDisk } from '../conformance/image-format-samples.ts';
import type { WritableFormat, WriteImageOptions } from './image-format.ts';
import type { ImageTarget } from './image-target.ts';
import { vhdFormat } from './vhd/vhd.ts';
import { vhdxFormat } from './vhdx/vhdx.ts';

/** What is there after each write to a new file, and how often it was written to. */
function cutOffTarget(writeCount: number) {
  const file = memoryDevice(0);
  let count = 0;
  const target: ImageTarget = {
    seekable: true,
    zeroed: true,
    write(source, offset) {
      count += 1;
      if (count <= writeCount) file.write(source, offset);
    },
    zero() {},
    finish: () => undefined,
  };
  return { file, target, count: () => count };
}

const ways: readonly [string, WritableFormat, WriteImageOptions][] = [
  ['a dynamic VHD', vhdFormat, { clusterSize: 2 ** 19 }],
  ['a fixed VHD', vhdFormat, { options: { subformat: 'fixed' } }],
  ['a dynamic VHDX', vhdxFormat, { clusterSize: 2 ** 20 }],
  ['a fixed VHDX', vhdxFormat, { clusterSize: 2 ** 20, options: { subformat: 'fixed' } }],
];

describe('an image whose writing was cut off after any write', () => {
  for (const [name, format, options] of ways) {
    test(`is no image, or is whole: ${name}`, async () => {
      const disk = mixedDisk(2_200_064);
      const content = await contentOf(disk);
      const whole = cutOffTarget(Number.POSITIVE_INFINITY);
      await format.write(disk, whole.target, options);
      let refusedCount = 0;
      for (let count = 0; count < whole.count(); count += 1) {
        const { file, target } = cutOffTarget(count);
        await format.write(disk, target, options);
        const found = await readOrRefusal(() => format.open(file, { name: 'sample' }), 'sample');
        if (found === undefined) refusedCount += 1;
        else assert.equal(Buffer.compare(found, content.subarray(0, found.length)), 0, `after ${count} writes`);
      }
      assert.ok(refusedCount >= whole.count() - 1, `${refusedCount} of ${whole.count()}`);
    });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { mixedDisk } from '../../conformance/image-format-samples.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { geometryFor } from './geometry.ts';
import { vmdkFormat } from './vmdk.ts';

test('options that VMDK does not have are INVALID', async () => {
  for (const options of [
    { compression: 'zstd' },
    { compression: 'deflate', options: { subformat: 'monolithicSparse' } },
    { clusterSize: 4096 },
    { options: { subformat: 'monolithicFlat' } },
    { options: { adapter_type: 'floppy' } },
    { options: { cid: 'ffffffff' } },
    { options: { cid: 'xyz' } },
    { options: { colour: 'blue' } },
  ] as const) {
    const target = memoryTarget({ seekable: true, zeroed: true });
    await assert.rejects(vmdkFormat.write(memoryDevice(512), target, options), { code: 'INVALID' });
  }
  const huge = memoryDevice(2 ** 48);
  await assert.rejects(vmdkFormat.write(huge, memoryTarget({ seekable: true, zeroed: true })), { code: 'INVALID' });
});

test("a measured size is the file's, and at least that where it is compressed", async () => {
  for (const size of [0, 512, 5_000_192]) {
    const source = size === 0 ? memoryDevice(0) : mixedDisk(size);
    for (const subformat of ['monolithicSparse', 'streamOptimized']) {
      const target = memoryTarget({ seekable: false, zeroed: true });
      await vmdkFormat.write(source, target, { options: { subformat } });
      const { required, fullyAllocated } = await vmdkFormat.measure!(source, { options: { subformat } });
      const { length } = target.bytes();
      if (subformat === 'monolithicSparse') assert.equal(required, length);
      else assert.ok(required >= length, `${required} < ${length}`);
      assert.ok(fullyAllocated >= required);
    }
  }
});

test('each image has a content id of its own, unless one is given', async () => {
  const ids = await Promise.all(
    [{}, {}, { options: { cid: 'abc' } }].map(async (options) => {
      const target = memoryTarget({ seekable: true, zeroed: true });
      await vmdkFormat.write(memoryDevice(512), target, options);
      await using disk = await vmdkFormat.open(memoryDevice(target.bytes()), { name: 'x' });
      return disk.information().contentId;
    }),
  );
  assert.notEqual(ids[0], ids[1]);
  assert.equal(ids[2], '00000abc');
});

test('the geometry is what the adapter has', () => {
  assert.deepEqual(geometryFor(2 ** 20, 'lsilogic'), { cylinders: 512, heads: 64, sectors: 32 });
  assert.deepEqual(geometryFor(3 * 2 ** 20, 'lsilogic'), { cylinders: 768, heads: 128, sectors: 32 });
  assert.deepEqual(geometryFor(2 ** 24, 'buslogic'), { cylinders: 1044, heads: 255, sectors: 63 });
  assert.deepEqual(geometryFor(2 ** 32, 'ide'), { cylinders: 16383, heads: 16, sectors: 63 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice, Extent } from '../block/block-device.ts';
import { isZero } from '../bytes/is-zero.ts';
import type { BlockDeviceExpectations, BlockDeviceFactory } from './block-device.ts';
import { type ByteRange, contentOf, edgeRanges, extentsOf, pattern } from './device-content.ts';

/** The clauses about `extents`. */
export function testExtents(factory: BlockDeviceFactory, { sizes, sparse }: BlockDeviceExpectations): void {
  test('extents of content that is no zeros are data, whatever the range', async () => {
    for (const size of sizes) {
      await using device = await factory(pattern(size, 5));
      for (const range of edgeRanges(device)) await checkExtents(device, range);
    }
  });

  test('extents of content with zeros in it cover the range, and only zeros are called zero or hole', async () => {
    for (const size of sizes) {
      const content = pattern(size, 6).fill(0, Math.floor(size / 4), Math.floor(size * 0.9));
      await using device = await factory(content);
      for (const range of edgeRanges(device)) await checkExtents(device, range);
    }
  });

  test('extents may be left early, and asked for again', async () => {
    await using device = await factory(pattern(sizes.at(-1)!, 7));
    for (let round = 0; round < 3; round += 1) {
      for await (const extent of device.extents(0, device.size)) {
        assert.equal(extent.offset, 0);
        break;
      }
    }
    await checkExtents(device, { offset: 0, length: device.size });
  });

  if (!sparse) return;
  test('extents of nothing but zeros are no data', async () => {
    for (const size of sizes) {
      await using device = await factory(new Uint8Array(size));
      assert.equal(device.supports.extents, true);
      const extents = await extentsOf(device);
      assert.ok(
        extents.every(({ kind }) => kind !== 'data'),
        JSON.stringify(extents),
      );
    }
  });
}

/** Checks the extents of a range against the interface and against what the device holds, and returns them. */
export async function checkExtents(device: BlockDevice, { offset, length }: ByteRange): Promise<Extent[]> {
  const extents = await extentsOf(device, offset, length);
  const content = await contentOf(device, offset, length);
  let position = offset;
  for (const extent of extents) {
    const what = `${JSON.stringify(extent)} in ${length} bytes at ${offset}`;
    assert.equal(extent.offset, position, `${what}: a gap or an overlap before it`);
    assert.ok(extent.length > 0, `${what}: it is empty`);
    assert.ok(['data', 'zero', 'hole'].includes(extent.kind), what);
    const bytes = content.subarray(position - offset, position - offset + extent.length);
    assert.ok(extent.kind === 'data' || isZero(bytes), `${what}: it does not read as zeros`);
    position += extent.length;
  }
  assert.equal(position, offset + length, `extents of ${length} bytes at ${offset} end elsewhere`);
  if (!device.supports.extents) assert.ok(extents.every(({ kind }) => kind === 'data'));
  return extents;
}

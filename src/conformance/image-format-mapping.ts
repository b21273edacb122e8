import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { alignUp } from '../bytes/align.ts';
import { isZero } from '../bytes/is-zero.ts';
import type { FormatDevice } from '../format/image-format.ts';
import { mapOf } from '../format/map-of.ts';
import { assertEqualBytes, contentOf, edgeRanges } from './device-content.ts';
import { type ImageFormatExpectations, imageBytes, openBytes } from './image-format-expectations.ts';
import { mixedDisk } from './image-format-samples.ts';

/** The clauses about `map`. */
export function testMapping(expected: ImageFormatExpectations): void {
  test('map tells where each byte comes from, whatever the range', async () => {
    const image = await imageBytes(expected, mixedDisk(alignUp(600_000, expected.sizeUnit)));
    await using disk = await openBytes(expected, image);
    for (const { length, offset } of edgeRanges(disk)) await checkMap(disk, offset, length, memoryDevice(image));
  });
}

/**
 * Checks the map of a range against the interface, against what the disk holds, and for what has a place in `file`
 * against what is there.
 */
export async function checkMap(disk: FormatDevice, offset: number, length: number, file: BlockDevice): Promise<void> {
  let position = offset;
  for await (const run of mapOf(disk, offset, length)) {
    const what = `${JSON.stringify(run)} in ${length} bytes at ${offset}`;
    assert.equal(run.offset, position, `${what}: a gap or an overlap before it`);
    assert.ok(run.length > 0 && run.depth >= 0, what);
    assert.ok(run.present || run.kind === 'hole', what);
    const content = await contentOf(disk, run.offset, run.length);
    assert.ok(run.kind === 'data' || isZero(content), `${what}: it does not read as zeros`);
    if (run.kind === 'data' && run.depth === 0 && run.hostOffset !== undefined && !run.compressed) {
      assertEqualBytes(await contentOf(file, run.hostOffset, run.length), content, what);
    }
    position += run.length;
  }
  assert.equal(position, offset + length, `the map of ${length} bytes at ${offset} ends elsewhere`);
}

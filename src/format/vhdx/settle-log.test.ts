import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { newGuid } from '../../bytes/guid.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { encodeHeader, headerPlaces } from './file-header.ts';
import { encodeLogEntry } from './log-entry.ts';
import { readVhdx } from './read-vhdx.ts';
import { vhdxFormat } from './vhdx.ts';

const name = 'test disk';

/** An image with a log that writes into its last block, and makes the file longer. */
async function unsettledImage(): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vhdxFormat.write!(memoryDevice(pattern(3 * 2 ** 20, 1)), target, { clusterSize: 2 ** 20 });
  const image = target.bytes();
  const { header } = await readVhdx(memoryDevice(image), name);
  const logGuid = newGuid();
  const [flushedFileOffset, lastFileOffset] = [image.length, image.length + 2 ** 20];
  const writes = [
    { offset: image.length - 8192, length: 4096, bytes: pattern(4096, 7) },
    { offset: image.length - 4096, length: 4096 },
  ];
  const entry = { sequenceNumber: 3n, tail: 0, flushedFileOffset, lastFileOffset, writes };
  image.set(encodeLogEntry(entry, logGuid), header.logOffset);
  for (const place of headerPlaces.headers) image.set(encodeHeader({ ...header, logGuid }), place);
  return image;
}

async function diskIn(image: Uint8Array): Promise<{ readonly content: Uint8Array; readonly dirty: boolean }> {
  await using disk = await vhdxFormat.open(memoryDevice(image, { readOnly: true }), { name });
  return { content: await contentOf(disk), dirty: disk.information().dirty ?? false };
}

test('a repair replays the log in the file, and the disk is what it was with the log', async () => {
  const image = await unsettledImage();
  const before = await diskIn(image);
  assert.equal(before.dirty, true);
  const file = memoryDevice(image);
  const report = await vhdxFormat.check!(file, { name, repair: 'all' });
  assert.deepEqual([report.corruptions, report.corruptionsFixed], [0, 1], report.problems.join());
  const after = await diskIn(await contentOf(file));
  assert.equal(after.dirty, false);
  assert.equal(file.size, image.length + 2 ** 20);
  assertEqualBytes(after.content, before.content, 'the disk');
  const again = await vhdxFormat.check!(file, { name, repair: 'all' });
  assert.deepEqual([again.corruptions, again.corruptionsFixed], [0, 0]);
});

test('leaks alone need no replay', async () => {
  const file = memoryDevice(await unsettledImage(), { readOnly: true });
  assert.equal((await vhdxFormat.check!(file, { name, repair: 'leaks' })).corruptionsFixed, 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noiseDisk } from '../../test/store/chunky-disk.ts';
import { importDisk, temporaryStore } from '../../test/store/temporary-store.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { markPending, pushLayer, takeWriteLease } from '../store/overlay/edit-overlays.ts';
import { openOverlay } from '../store/overlay/overlay-files.ts';
import { storePending } from '../store/overlay/store-pending.ts';
import { openDisk } from './open-disk.ts';

test('a snapshot that another process is storing is read at once, and stays what it is', async () => {
  await using place = await temporaryStore();
  const { store } = place;
  const content = new Uint8Array(noiseDisk(10));
  await importDisk(store, 'web', content);
  const who = { image: store.images.get('web').id, owner: '' };
  // That is this process, which does not get on with it.
  const lease = takeWriteLease(store, { ...who, purpose: 'a test' });
  for (const [tag, offset] of [
    ['one', 70_000],
    ['two', 300_000],
  ] as const) {
    const { id } = pushLayer(store, who);
    await using layer = await openOverlay(store.path, id);
    await layer.over(memoryDevice(content.length)).write(pattern(8192, offset), alignedTo(offset));
    await layer.flush();
    markPending(store, id, { message: '', author: '', time: 0, tag });
  }
  const [one, two] = [content.slice(), content.slice()];
  for (const expected of [one, two]) expected.set(pattern(8192, 70_000), alignedTo(70_000));
  two.set(pattern(8192, 300_000), alignedTo(300_000));
  await using first = await openDisk('web@one', { store });
  await using second = await openDisk('web', { store });
  assert.deepEqual([first.label, second.label, first.kind], ['web@2', 'web@3', 'snapshot content']);
  assertEqualBytes(await contentOf(first.device), one, 'the first');
  assertEqualBytes(await contentOf(second.device), two, 'the second');
  while ((await storePending(store, who)) !== undefined);
  assertEqualBytes(await contentOf(first.device), one, 'the first, when it is stored');
  store.leases.release(lease);
  await using stored = await openDisk('web@one', { store });
  assert.equal(stored.kind, 'snapshot');
  assertEqualBytes(await contentOf(stored.device), one, 'what was stored');
});

function alignedTo(offset: number): number {
  return offset - (offset % 4096);
}

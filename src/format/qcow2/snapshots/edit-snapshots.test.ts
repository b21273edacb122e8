import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isVarveError } from '../../../base/varve-error.ts';
import { type MemoryDevice, memoryDevice } from '../../../block/memory-device.ts';
import { contentOf, pattern } from '../../../conformance/device-content.ts';
import { recordFilter } from '../../../filter/record.ts';
import { checkQcow2 } from '../check/check-qcow2.ts';
import { createQcow2 } from '../create-qcow2.ts';
import { openQcow2 } from '../open-qcow2.ts';
import { applyQcow2Snapshot, createQcow2Snapshot, deleteQcow2Snapshot } from './edit-snapshots.ts';
import { openQcow2Snapshot } from './open-snapshot.ts';

const name = 'sample.qcow2';
const clusterSize = 4096;
const size = 60 * clusterSize;

async function emptyImage(options: Record<string, string> = {}): Promise<Uint8Array> {
  const file = memoryDevice(0);
  await createQcow2(file, { size, clusterSize, options });
  return contentOf(file);
}

/** Writes to the disk in an image, and gives the new image. */
async function written(image: Uint8Array, offset: number, bytes: Uint8Array): Promise<Uint8Array> {
  const file = memoryDevice(image);
  await using disk = await openQcow2(file, { name, writable: true });
  await disk.write(bytes, offset);
  await disk.flush();
  return contentOf(file);
}

async function diskOf(image: Uint8Array): Promise<Uint8Array> {
  await using disk = await openQcow2(memoryDevice(image), { name });
  return contentOf(disk);
}

async function snapshotOf(image: Uint8Array, snapshot: string): Promise<Uint8Array> {
  await using disk = await openQcow2Snapshot(memoryDevice(image), snapshot, { name });
  return contentOf(disk);
}

async function namesIn(image: Uint8Array): Promise<string[]> {
  await using disk = await openQcow2(memoryDevice(image), { name });
  return (disk.information().snapshots ?? []).map((snapshot) => snapshot.name);
}

async function assertClean(image: Uint8Array): Promise<void> {
  const { corruptions, leaks, problems } = await checkQcow2(memoryDevice(image), { name });
  assert.deepEqual([corruptions, leaks], [0, 0], problems.join('\n'));
}

async function edited(image: Uint8Array, edit: (file: MemoryDevice) => Promise<unknown>): Promise<Uint8Array> {
  const file = memoryDevice(image);
  await edit(file);
  return contentOf(file);
}

const first = await written(await emptyImage(), 1000, pattern(30_000, 1));
const firstDisk = await diskOf(first);
const withOne = await edited(first, (file) => createQcow2Snapshot(file, name, { name: 'one', timeMs: 1_234_567 }));
const second = await written(withOne, 20_000, pattern(60_000, 2));
const secondDisk = await diskOf(second);

describe('snapshots inside qcow2 images', () => {
  test('are what the disk was, whatever is written later', async () => {
    assert.deepEqual(await snapshotOf(withOne, 'one'), firstDisk);
    assert.deepEqual(await snapshotOf(second, 'one'), firstDisk);
    assert.notDeepEqual(secondDisk, firstDisk);
    await assertClean(withOne);
    await assertClean(second);
    await using disk = await openQcow2(memoryDevice(second), { name });
    const [snapshot] = disk.information().snapshots ?? [];
    assert.deepEqual(snapshot, { id: '1', name: 'one', size, timeMs: 1_234_567, machineStateLength: 0 });
  });

  test('are applied, and can be written on', async () => {
    const two = await edited(second, (file) => createQcow2Snapshot(file, name, { name: 'two' }));
    const back = await edited(two, (file) => applyQcow2Snapshot(file, name, 'one'));
    assert.deepEqual(await diskOf(back), firstDisk);
    await assertClean(back);
    const on = await written(back, 0, pattern(100_000, 3));
    assert.deepEqual([await snapshotOf(on, '1'), await snapshotOf(on, 'two')], [firstDisk, secondDisk]);
    await assertClean(on);
  });

  test('are deleted, and what only they used is free', async () => {
    const two = await edited(second, (file) => createQcow2Snapshot(file, name, { name: 'two' }));
    const rest = await edited(two, (file) => deleteQcow2Snapshot(file, name, 'one'));
    assert.deepEqual([await diskOf(rest), await snapshotOf(rest, 'two')], [secondDisk, secondDisk]);
    await assertClean(rest);
    const none = await edited(rest, (file) => deleteQcow2Snapshot(file, name, '2'));
    assert.deepEqual([await diskOf(none), await namesIn(none)], [secondDisk, []]);
    await assertClean(none);
  });

  const edits: Readonly<Record<string, readonly [Uint8Array, (file: MemoryDevice) => Promise<unknown>, Uint8Array[]]>> =
    {
      make: [second, (file) => createQcow2Snapshot(file, name, { name: 'two' }), [secondDisk]],
      apply: [second, (file) => applyQcow2Snapshot(file, name, 'one'), [secondDisk, firstDisk]],
      delete: [second, (file) => deleteQcow2Snapshot(file, name, 'one'), [secondDisk]],
    };
  for (const [what, [image, edit, disks]] of Object.entries(edits)) {
    test(`the power may end at any moment of a ${what}`, async () => {
      const file = await recordFilter(memoryDevice(2 ** 20));
      await file.write(image, 0);
      await file.flush();
      const start = file.events.length;
      await edit(file as unknown as MemoryDevice);
      for (let count = start; count <= file.events.length; count += 1) {
        for (const options of [{}, { dropUnsynced: true }, { reorderSeed: count }]) {
          const rest = file.replay(count, options);
          const content = await diskOf(await contentOf(rest));
          assert.ok(
            disks.some((disk) => Buffer.compare(disk, content) === 0),
            `the disk after ${count} events`,
          );
          const { corruptions, leaks } = await checkQcow2(rest, { name, repair: 'all' });
          assert.deepEqual([corruptions, leaks], [0, 0]);
          const repaired = await contentOf(rest);
          assert.deepEqual(await diskOf(repaired), content);
          if ((await namesIn(repaired)).includes('one')) assert.deepEqual(await snapshotOf(repaired, 'one'), firstDisk);
          if ((await namesIn(repaired)).includes('two'))
            assert.deepEqual(await snapshotOf(repaired, 'two'), secondDisk);
          assert.deepEqual(
            await diskOf(await written(repaired, 0, pattern(9000, 1))).then((disk) => disk.length),
            size,
          );
        }
      }
    });
  }

  test('are refused by name', async () => {
    const is = (code: 'NOT_FOUND' | 'EXISTS' | 'INVALID' | 'READ_ONLY') => (error: unknown) =>
      isVarveError(error, code) && error.message.includes(name);
    await assert.rejects(applyQcow2Snapshot(memoryDevice(second), name, 'two'), is('NOT_FOUND'));
    await assert.rejects(deleteQcow2Snapshot(memoryDevice(second), name, 'two'), is('NOT_FOUND'));
    await assert.rejects(snapshotOf(second, 'two'), is('NOT_FOUND'));
    await assert.rejects(createQcow2Snapshot(memoryDevice(second), name, { name: 'one' }), is('EXISTS'));
    await assert.rejects(createQcow2Snapshot(memoryDevice(second), name, { name: '' }), is('INVALID'));
    await assert.rejects(createQcow2Snapshot(memoryDevice(second), name, { name: 'x'.repeat(256) }), is('INVALID'));
    const readOnly = memoryDevice(second, { readOnly: true });
    await assert.rejects(createQcow2Snapshot(readOnly, name, { name: 'two' }), is('READ_ONLY'));
  });
});

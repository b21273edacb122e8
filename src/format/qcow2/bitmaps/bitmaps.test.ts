import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../../base/varve-error.ts';
import { type MemoryDevice, memoryDevice } from '../../../block/memory-device.ts';
import { contentOf, pattern } from '../../../conformance/device-content.ts';
import { damaged, damages } from '../../../conformance/image-format-damage.ts';
import { recordFilter } from '../../../filter/record.ts';
import { checkQcow2 } from '../check/check-qcow2.ts';
import { createQcow2 } from '../create-qcow2.ts';
import { autoclearFeature } from '../features.ts';
import { encodeHeader } from '../header.ts';
import { extensionType } from '../header-extensions.ts';
import { openQcow2 } from '../open-qcow2.ts';
import { readHeader } from '../read-header.ts';
import { applyQcow2Snapshot, createQcow2Snapshot, deleteQcow2Snapshot } from '../snapshots/edit-snapshots.ts';
import { openQcow2Snapshot } from '../snapshots/open-snapshot.ts';
import { bitmapFlag, encodeBitmapDirectory, encodeBitmapsExtension } from './bitmap-directory.ts';
import { qcow2DirtyRanges } from './dirty-ranges.ts';
import { removeQcow2Bitmap } from './remove-bitmap.ts';

const name = 'sample.qcow2';
const clusterSize = 4096;
const size = 100 * clusterSize;
const granularityBits = 9;

/** An image with a bitmap that is kept, whose bits are all clear, and one that stands still, whose bits are all set. */
async function imageWithBitmaps(): Promise<Uint8Array> {
  const file = memoryDevice(0);
  await createQcow2(file, { size, clusterSize });
  const header = await readHeader(file, name);
  const end = Math.ceil(file.size / clusterSize) * clusterSize;
  const common = { tableSize: 1, type: 1, granularityBits, extraData: new Uint8Array() };
  const directory = encodeBitmapDirectory([
    { ...common, name: 'kept', flags: bitmapFlag.auto, tableOffset: end },
    { ...common, name: 'still', flags: 0, tableOffset: end + clusterSize },
  ]);
  const directoryOffset = end + 2 * clusterSize;
  file.resize(end + 3 * clusterSize);
  // All ones, without a cluster for them.
  file.write(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1), end + clusterSize);
  file.write(directory, directoryOffset);
  const data = encodeBitmapsExtension({ bitmapCount: 2, directorySize: directory.length, directoryOffset });
  const extensions = [...header.extensions, { type: extensionType.bitmaps, data }];
  file.write(encodeHeader({ ...header, extensions, autoclearFeatures: autoclearFeature.bitmaps }), 0);
  await checkQcow2(file, { name, repair: 'all' });
  return contentOf(file);
}

const image = await imageWithBitmaps();

function dirty(bytes: Uint8Array, bitmap: string): Promise<{ offset: number; length: number }[]> {
  return Array.fromAsync(qcow2DirtyRanges(memoryDevice(bytes), name, bitmap));
}

/** What is in the file after some work on its disk. */
async function worked(work: (disk: Awaited<ReturnType<typeof openQcow2>>) => Promise<void>): Promise<Uint8Array> {
  const large = memoryDevice(image);
  large.resize(2 ** 20);
  const recorded = await recordFilter(large);
  {
    await using disk = await openQcow2(recorded, { name, writable: true });
    await work(disk);
  }
  return contentOf(recorded.replay(recorded.events.length));
}

async function bitmapsIn(bytes: Uint8Array) {
  await using disk = await openQcow2(memoryDevice(bytes), { name });
  return disk.information().bitmaps;
}

describe('persistent dirty bitmaps', () => {
  test('are told of, and read', async () => {
    assert.deepEqual(await bitmapsIn(image), [
      { name: 'kept', granularity: 512, flags: ['auto'] },
      { name: 'still', granularity: 512, flags: [] },
    ]);
    assert.deepEqual(await dirty(image, 'kept'), []);
    assert.deepEqual(await dirty(image, 'still'), [{ offset: 0, length: size }]);
    await assert.rejects(dirty(image, 'none'), (error) => isVarveError(error, 'NOT_FOUND'));
  });

  test('are kept while the disk is written, zeroed and trimmed', async () => {
    const after = await worked(async (disk) => {
      await disk.write(pattern(600, 1), 1000);
      await disk.write(pattern(10, 1), 2048);
      await disk.zero(100_000, 1);
      await disk.trim(size - clusterSize, clusterSize);
    });
    assert.deepEqual(await dirty(after, 'kept'), [
      { offset: 512, length: 2048 },
      { offset: 99_840, length: 512 },
      { offset: size - clusterSize, length: clusterSize },
    ]);
    assert.deepEqual(await bitmapsIn(after), await bitmapsIn(image));
    const { corruptions, leaks } = await checkQcow2(memoryDevice(after), { name });
    assert.deepEqual([corruptions, leaks], [0, 0]);
  });

  test('say after a power cut what was written, or that they do not know', async () => {
    const large = memoryDevice(image);
    large.resize(2 ** 20);
    const file = await recordFilter(large);
    {
      await using disk = await openQcow2(file, { name, writable: true });
      await disk.write(pattern(5000, 1), 20_000);
      await disk.flush();
      await disk.write(pattern(5000, 2), 300_000);
    }
    const untouched = await contentOf(memoryDevice(size));
    for (let count = 0; count <= file.events.length; count += 1) {
      for (const options of [{}, { dropUnsynced: true }, { reorderSeed: count }]) {
        const rest = await contentOf(file.replay(count, options));
        await using disk = await openQcow2(memoryDevice(rest), { name });
        const isWhole = disk.information().bitmaps?.[0]?.flags.length === 1;
        if (!isWhole) continue;
        const content = await contentOf(disk);
        for (const { length, offset } of await dirty(rest, 'kept')) content.fill(0, offset, offset + length);
        assert.equal(Buffer.compare(content, untouched), 0, `after ${count} events`);
      }
    }
  });

  test('are removed, and leave nothing behind', async () => {
    const file = memoryDevice(image);
    for (const bitmap of ['kept', 'still']) {
      await removeQcow2Bitmap(file, name, bitmap);
      const { corruptions, leaks } = await checkQcow2(file, { name });
      assert.deepEqual([corruptions, leaks], [0, 0]);
      const left = await bitmapsIn(await contentOf(file));
      assert.equal(
        left?.some((each) => each.name === bitmap),
        false,
      );
    }
    await assert.rejects(removeQcow2Bitmap(file, name, 'kept'), (error) => isVarveError(error, 'NOT_FOUND'));
    const readOnly = memoryDevice(image, { readOnly: true });
    await assert.rejects(removeQcow2Bitmap(readOnly, name, 'kept'), (error) => isVarveError(error, 'READ_ONLY'));
  });
});

test('a power cut while a bitmap is removed leaves it, or the others, or leaks', async () => {
  const large = memoryDevice(image);
  large.resize(2 ** 20);
  const file = await recordFilter(large);
  await removeQcow2Bitmap(file, name, 'kept');
  await removeQcow2Bitmap(file, name, 'still');
  for (let count = 0; count <= file.events.length; count += 1) {
    for (const options of [{}, { dropUnsynced: true }, { reorderSeed: count }]) {
      const rest = await contentOf(file.replay(count, options));
      const { corruptions } = await checkQcow2(memoryDevice(rest), { name });
      assert.equal(corruptions, 0, `after ${count} events`);
      const names = (await bitmapsIn(rest))?.map((bitmap) => bitmap.name).join(' ');
      assert.ok(['kept still', 'still', ''].includes(names!), names);
      if (names?.includes('still')) assert.deepEqual(await dirty(rest, 'still'), [{ offset: 0, length: size }]);
    }
  }
});

test('whatever bytes an image with bitmaps and snapshots has, all that is done to them ends in an error with a code', async () => {
  const sample = memoryDevice(image);
  await createQcow2Snapshot(sample, name, { name: 'one' });
  const whole = await contentOf(sample);
  const works: readonly ((file: MemoryDevice) => Promise<unknown>)[] = [
    (file) => Array.fromAsync(qcow2DirtyRanges(file, name, 'still')),
    (file) => removeQcow2Bitmap(file, name, 'kept'),
    (file) => createQcow2Snapshot(file, name, { name: 'two' }),
    (file) => applyQcow2Snapshot(file, name, 'one'),
    (file) => deleteQcow2Snapshot(file, name, '1'),
    async (file) => {
      await using disk = await openQcow2Snapshot(file, 'one', { name });
      await contentOf(disk, 0, Math.min(disk.size, size));
    },
    async (file) => {
      await using disk = await openQcow2(file, { name, writable: true });
      if (disk.size > 0) await disk.write(new Uint8Array(1), 0);
    },
  ];
  const property = fc.asyncProperty(damages(whole.length), fc.nat(works.length - 1), async (changes, work) => {
    try {
      await works[work]!(memoryDevice(damaged(whole, changes)));
    } catch (error) {
      assert.ok(isVarveError(error), `${error instanceof Error ? error.stack : error}`);
      assert.ok(error.message.includes(name), error.message);
    }
  });
  await fc.assert(property, { numRuns: 700 });
});

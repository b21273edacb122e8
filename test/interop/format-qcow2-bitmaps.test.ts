import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openFileDevice } from '../../src/block/file-device.ts';
import { IntervalSet } from '../../src/bytes/interval-set.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { openImage } from '../../src/format/formats.ts';
import type { FormatDevice } from '../../src/format/image-format.ts';
import { qcow2DirtyRanges } from '../../src/format/qcow2/bitmaps/dirty-ranges.ts';
import { removeQcow2Bitmap } from '../../src/format/qcow2/bitmaps/remove-bitmap.ts';
import { applyQcow2Snapshot, createQcow2Snapshot } from '../../src/format/qcow2/snapshots/edit-snapshots.ts';
import { assertClean, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const size = 2 ** 27;

async function dirty(path: string, bitmap: string): Promise<{ offset: number; length: number }[]> {
  await using file = await openFileDevice(path, { readOnly: true });
  return await Array.fromAsync(qcow2DirtyRanges(file, path, bitmap));
}

async function change(path: string, work: (disk: FormatDevice) => Promise<void>): Promise<void> {
  const file = await openFileDevice(path, { readOnly: false });
  await using disk = await openImage(file, { name: path, writable: true });
  await work(disk);
}

/** The bitmaps as QEMU tells of them: names and flags. */
async function qemuBitmaps(path: string): Promise<[name: string, ...flags: string[]][]> {
  const information = JSON.parse(await qemuImg('info', '--output=json', path));
  const { bitmaps = [] } = information['format-specific'].data;
  return bitmaps.map(({ flags, name }: { flags: string[]; name: string }) => [name, ...flags.sort()]);
}

function expectedRanges(written: IntervalSet, granularity: number): { offset: number; length: number }[] {
  const units = new IntervalSet();
  for (const { end, offset } of written) {
    units.add(offset - (offset % granularity), Math.ceil(end / granularity) * granularity);
  }
  return [...units.intersect(0, size)].map(({ end, offset }) => ({ offset, length: end - offset }));
}

const write = fc.record({
  byQemu: fc.boolean(),
  verb: fc.constantFrom('write', 'zero'),
  sector: fc.nat(size / 512 - 1),
  sectorCount: fc.integer({ min: 1, max: 3000 }),
});

const kinds = { 'clusters of 512 bytes': 'cluster_size=512', 'clusters of 64 KiB': 'cluster_size=64k' };

describe('persistent dirty bitmaps of qcow2 images', { skip }, () => {
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${kind}: what is written is in them, whoever wrote, and QEMU reads what we kept`, async () => {
      const property = fc.asyncProperty(fc.array(write, { minLength: 2, maxLength: 6 }), async (writes) => {
        await using directory = await imageDirectory();
        const path = directory.path('image');
        await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, `${size}`);
        await qemuImg('bitmap', '--add', '-g', '512', path, 'fine');
        await qemuImg('bitmap', '--add', '-g', '1M', path, 'coarse');
        await qemuImg('bitmap', '--add', '--disable', path, 'still');
        const written = new IntervalSet();
        for (const { byQemu, sector, sectorCount, verb } of writes) {
          const offset = sector * 512;
          const length = Math.min(size - offset, sectorCount * 512);
          written.add(offset, offset + length);
          if (byQemu) await qemuIo(path, `write ${verb === 'zero' ? '-z' : '-P 3'} ${offset} ${length}`);
          else {
            await change(path, async (disk) => {
              if (verb === 'zero') await disk.zero(offset, length);
              else await disk.write(pattern(length, 1), offset);
            });
          }
        }
        await assertClean(path);
        assert.deepEqual(await qemuBitmaps(path), [['fine', 'auto'], ['coarse', 'auto'], ['still']]);
        const copy = directory.path('copy');
        await qemuImg('convert', '-O', 'qcow2', '--bitmaps', path, copy);
        for (const image of [path, copy]) {
          assert.deepEqual(await dirty(image, 'fine'), expectedRanges(written, 512));
          assert.deepEqual(await dirty(image, 'coarse'), expectedRanges(written, 2 ** 20));
          assert.deepEqual(await dirty(image, 'still'), []);
        }
      });
      await fc.assert(property, { numRuns: 4 });
    });
  }

  test('they are removed one after the other, and what they took is free', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1G');
    for (const name of ['one', 'two', 'three']) await qemuImg('bitmap', '--add', path, name);
    await qemuIo(path, 'write -P 1 0 1M');
    for (const name of ['two', 'one', 'three']) {
      await using file = await openFileDevice(path, { readOnly: false });
      await removeQcow2Bitmap(file, path, name);
      await assertClean(path);
      assert.ok(!(await qemuBitmaps(path)).some(([left]) => left === name));
    }
    assert.deepEqual(await qemuBitmaps(path), []);
    await assert.rejects(dirty(path, 'one'), { code: 'NOT_FOUND', message: /image has no bitmap "one"/ });
    await qemuImg('bitmap', '--add', path, 'one');
    await assertClean(path);
  });

  test('whoever is cut off leaves bitmaps behind that say so', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    const copy = directory.path('copy');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '16M');
    await qemuImg('bitmap', '--add', path, 'kept');
    await qemuImg('bitmap', '--add', '--disable', path, 'still');
    await change(path, async (disk) => {
      await disk.write(pattern(5000, 1), 70_000);
      await disk.flush();
      await copyFile(path, copy);
    });
    await assertClean(copy);
    assert.deepEqual(await qemuBitmaps(copy), [['kept', 'auto', 'in-use'], ['still']]);
    await assert.rejects(dirty(copy, 'kept'), { code: 'CONFLICT', message: /bitmap "kept" of .*copy says nothing/ });
    assert.deepEqual(await dirty(path, 'kept'), [{ offset: 65536, length: 65536 }]);
  });

  test('they say nothing any more once the disk has another size, or an older content', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    for (const size of [2 ** 20, 2 ** 33, undefined]) {
      await qemuImg('create', '-q', '-f', 'qcow2', path, '16M');
      await qemuImg('bitmap', '--add', path, 'kept');
      await qemuImg('bitmap', '--add', '--disable', path, 'still');
      if (size !== undefined) await change(path, async (disk) => disk.resize!(size));
      else {
        await using file = await openFileDevice(path, { readOnly: false });
        await createQcow2Snapshot(file, path, { name: 'before' });
        await applyQcow2Snapshot(file, path, 'before');
      }
      await assertClean(path);
      assert.deepEqual(await qemuBitmaps(path), [
        ['kept', 'auto', 'in-use'],
        ['still', 'in-use'],
      ]);
      await qemuIo(path, 'write -P 1 0 1M');
      await assertClean(path);
      await qemuImg('bitmap', '--remove', path, 'kept');
    }
  });
});

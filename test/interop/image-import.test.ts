import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { isVarveError } from '../../src/base/varve-error.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { exportDisk } from '../../src/image/export-disk.ts';
import { importDisk } from '../../src/image/import-disk.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import type { Store } from '../../src/store/store.ts';
import { assertClean, type TemporaryStore, temporaryStore } from '../store/temporary-store.ts';
import { type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const size = 6 * 2 ** 20;

/** A disk with data that shrinks, data that does not, zeros that are written and zeros that are not. */
async function mixedRaw(directory: ImageDirectory): Promise<string> {
  const path = directory.path('mixed.raw');
  await qemuImg('create', '-q', '-f', 'raw', path, `${size}`);
  await qemuIo(path, 'write -P 7 70k 1M', 'write -P 0 2M 300k', 'write -P 9 5M 1M');
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, pattern(500_000, 1), 0, 500_000, 3 * 2 ** 20 + 1234);
  fs.closeSync(file);
  return path;
}

/** That a snapshot's disk, written to a file again, is what qemu-img reads from `path`. */
async function assertHolds(store: Store, image: string, path: string, directory: ImageDirectory): Promise<void> {
  await using disk = await openDisk(image, { store });
  const exported = directory.path(`${image}.exported.raw`);
  await exportDisk(disk, exported);
  // It warns where sizes differ.
  assert.equal(await qemuImg('compare', '-F', 'raw', path, exported), 'Images are identical.\n');
}

describe('what qemu-img made, imported', { skip }, () => {
  async function withStore(
    use: (directory: ImageDirectory, temporary: TemporaryStore) => Promise<void>,
  ): Promise<void> {
    await using directory = await imageDirectory();
    await using temporary = await temporaryStore();
    await use(directory, temporary);
    await assertClean(temporary.store);
  }

  test('qcow2 of every kind has the content that qemu-img reads', () =>
    withStore(async (directory, { store }) => {
      const raw = await mixedRaw(directory);
      const kinds = [
        [],
        ['-c'],
        ['-c', '-o', 'compression_type=zstd'],
        ['-o', 'compat=0.10'],
        ['-o', 'extended_l2=on'],
        ['-o', 'cluster_size=4k'],
        ['-c', '-o', 'cluster_size=2M'],
        ['-o', 'preallocation=metadata'],
        ['-o', 'lazy_refcounts=on'],
      ];
      const roots = new Set<string>();
      for (const [index, options] of kinds.entries()) {
        const path = directory.path(`${index}.qcow2`);
        await qemuImg('convert', '-O', 'qcow2', ...options, raw, path);
        const { snapshot } = await importDisk(store, path, { name: `kind${index}` });
        roots.add(Buffer.from(snapshot.root).toString('hex'));
        await assertHolds(store, `kind${index}`, path, directory);
      }
      assert.equal(roots.size, 1, 'equal content has an equal root');
      const { snapshot } = await importDisk(store, raw, { name: 'raw' });
      assert.equal(Buffer.from(snapshot.root).toString('hex'), [...roots][0]);
      assert.equal(snapshot.statistics.addedLength, 0);
    }));

  test('raw files of odd sizes keep every byte of them', () =>
    withStore(async (directory, { store }) => {
      for (const length of [0, 1, 511, 512, 65_535, 65_536, 65_537, 2 ** 20 + 3]) {
        const content = pattern(length, length);
        const path = await directory.save(`${length}.raw`, content);
        const { snapshot } = await importDisk(store, path, { name: `raw${length}` });
        assert.equal(snapshot.size, length);
        await using disk = await openDisk(`raw${length}`, { store });
        const exported = directory.path(`${length}.exported`);
        await exportDisk(disk, exported);
        assert.equal(Buffer.compare(fs.readFileSync(exported), content), 0);
      }
    }));

  test('a chain is refused without follow, and with it has the content that qemu-img reads', () =>
    withStore(async (directory, { store }) => {
      const base = await mixedRaw(directory);
      const [middle, top] = [directory.path('middle.qcow2'), directory.path('top.qcow2')];
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', middle, `${2 * size}`);
      await qemuIo(middle, 'write -P 1 100k 300k', 'write -z 1M 100k', 'write -P 2 7M 64k');
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'middle.qcow2', '-F', 'qcow2', top);
      await qemuIo(top, 'write -P 3 150k 10k', 'write -z 5M 128k');
      const refused = { code: 'PERMISSION', message: /builds on "middle\.qcow2"; give --follow/ };
      await assert.rejects(importDisk(store, top, { name: 'chain' }), refused);
      assert.equal(store.images.find('chain'), undefined);
      await importDisk(store, top, { name: 'chain', follow: true });
      await assertHolds(store, 'chain', top, directory);
      // The uppermost file does not change when what it builds on does.
      await qemuIo(base, 'write -P 4 4M 64k');
      const { unchanged } = await importDisk(store, top, { name: 'chain', update: true, follow: true });
      assert.equal(unchanged, false);
      fs.rmSync(directory.path('chain.exported.raw'));
      await assertHolds(store, 'chain', top, directory);
    }));

  test('a raw disk that looks like an image is one, unless the format is given', () =>
    withStore(async (directory, { store }) => {
      const path = directory.path('guest.raw');
      await qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', path, '1M');
      await assert.rejects(importDisk(store, path, { name: 'guest' }), { code: 'PERMISSION' });
      await importDisk(store, path, { name: 'guest', format: 'raw' });
      await using disk = await openDisk('guest', { store });
      assert.equal(disk.device.size, fs.statSync(path).size);
    }));

  test('1 TiB with a few MiB of data costs those, as raw and as qcow2', () =>
    withStore(async (directory, { store }) => {
      const [raw, qcow2] = [directory.path('huge.raw'), directory.path('huge.qcow2')];
      await qemuImg('create', '-q', '-f', 'raw', raw, '1T');
      await qemuIo(raw, 'write -P 1 0 1M', 'write -P 2 700G 1M', 'write -P 3 1048575M 1M');
      await qemuImg('convert', '-O', 'qcow2', raw, qcow2);
      const [a, b] = [await importDisk(store, raw, { name: 'a' }), await importDisk(store, qcow2, { name: 'b' })];
      assert.equal(a.snapshot.statistics.dataLength, 3 * 2 ** 20);
      assert.equal(Buffer.compare(a.snapshot.root, b.snapshot.root), 0);
      await using disk = await openDisk('b', { store });
      await exportDisk(disk, directory.path('again.raw'));
      assert.ok(fs.statSync(directory.path('again.raw')).blocks * 512 <= 4 * 2 ** 20);
      assert.equal(
        await qemuImg('compare', '-f', 'raw', directory.path('again.raw'), qcow2),
        'Images are identical.\n',
      );
    }));

  test('images cut off or damaged anywhere make an image of what can be read, or none, and hurt nothing', () =>
    withStore(async (directory, { store }) => {
      const raw = await mixedRaw(directory);
      await importDisk(store, raw, { name: 'good' });
      const path = directory.path('whole.qcow2');
      await qemuImg('convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4k', raw, path);
      const whole = fs.readFileSync(path);
      const codes = new Set<string>();
      const broken = [
        ...[0, 4, 71, 104, 4096, 9000, whole.length >> 1, whole.length - 5000].map((end) => whole.subarray(0, end)),
        ...[9, 20, 24, 33, 40, 48, 4097, 8195, 12_300, whole.length >> 1].map((place) => {
          const copy = Buffer.from(whole);
          copy[place]! ^= 0xff;
          return copy;
        }),
      ];
      for (const [index, content] of broken.entries()) {
        const bad = await directory.save('bad.qcow2', content);
        try {
          await importDisk(store, bad, { name: `bad${index}`, live: true });
        } catch (error) {
          assert.ok(isVarveError(error), `${index}: ${error}`);
          codes.add(error.code);
          assert.match(error.message, /bad\.qcow2/);
          assert.doesNotMatch(error.message, /\n/);
          assert.equal(store.images.find(`bad${index}`), undefined);
        }
      }
      assert.ok(codes.has('CORRUPT'), [...codes].join(' '));
      await assertHolds(store, 'good', raw, directory);
    }));
});

import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { openFileDevice } from '../../src/block/file-device.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { openImage } from '../../src/format/formats.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, ourMap, qemuImg, qemuIo, qemuMap } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');

describe('backing files', { skip }, () => {
  for (const options of ['', ',extended_l2=on', ',cluster_size=1k', ',cluster_size=2M', ',compat=0.10']) {
    test(`chains of raw and qcow2, shorter and longer than what is on top${options}`, async () => {
      await using directory = await imageDirectory();
      const base = await directory.save('base.raw', mixedDisk(2 ** 20 + 5 * 512));
      const [middle, top] = [directory.path('middle.qcow2'), directory.path('top.qcow2')];
      const create = (backing: string, format: string, path: string, size: string): Promise<string> =>
        qemuImg(
          'create',
          '-q',
          '-f',
          'qcow2',
          '-o',
          `backing_file=${backing},backing_fmt=${format}${options}`,
          path,
          size,
        );
      await create('base.raw', 'raw', middle, '4M');
      await qemuIo(middle, 'write -P 1 900k 300k', 'write -P 2 3M 100k');
      // Version 2 has no zero clusters: qemu-io writes them out.
      await qemuIo(middle, 'write -z 100k 200k', 'write -P 3 4000k 96k');
      await create(middle, 'qcow2', top, '3500k');
      await qemuIo(top, 'write -P 4 1M 3k', 'write -z 1100k 70k', 'discard 0 64k', 'write -P 5 3499k 1k');
      assert.ok(base);
      await assertReadsLikeQemu(middle, directory.path(''));
      await assertReadsLikeQemu(top, directory.path(''));
      await using disk = await openPath(top, directory.path(''));
      assert.deepEqual(disk.information().backing, { name: middle, format: 'qcow2' });
    });
  }

  test('the map of a chain is that of qemu-img', async () => {
    await using directory = await imageDirectory();
    const [base, top] = [directory.path('base'), directory.path('top')];
    await qemuImg('create', '-q', '-f', 'qcow2', base, '10M');
    await qemuIo(base, 'write -P 1 1M 2M', 'write -z 2M 256k', 'write -P 1 9M 128k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top, '20M');
    await qemuIo(top, 'write -P 2 0 64k', 'write -z 1M 64k', 'write -P 3 15M 1M');
    await using disk = await openPath(top, directory.path(''));
    assert.deepEqual(await ourMap(disk), await qemuMap(top));
  });

  test('a chain of thirty is read to its end', async () => {
    await using directory = await imageDirectory();
    await qemuImg('create', '-q', '-f', 'qcow2', directory.path('0'), '4M');
    await qemuIo(directory.path('0'), 'write -P 99 3M 64k');
    for (let index = 1; index < 30; index += 1) {
      const path = directory.path(`${index}`);
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', `${index - 1}`, '-F', 'qcow2', path);
      await qemuIo(path, `write -P ${index} ${index * 64}k 64k`);
    }
    await assertReadsLikeQemu(directory.path('29'), directory.path(''));
  });

  test('without permission none is opened, and the message names it', async () => {
    await using directory = await imageDirectory();
    const top = directory.path('top');
    await qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', top, '1M');
    const file = await openFileDevice(top, { readOnly: true });
    const refused = { code: 'PERMISSION', message: /top: it builds on the file "\/etc\/shadow"/ };
    await assert.rejects(openImage(file, { name: top }), refused);
    await assert.rejects(openPath(top, directory.path('')), { code: 'PERMISSION', message: /in no directory/ });
  });

  test('a way out of the allowed directory, by a link or by dots, is refused', async () => {
    await using directory = await imageDirectory();
    await mkdir(directory.path('inside'));
    const outside = await directory.save('outside.raw', new Uint8Array(65536));
    await symlink(outside, directory.path('inside/link.raw'));
    for (const [index, backing] of ['link.raw', '../outside.raw', 'file:../outside.raw'].entries()) {
      const top = directory.path(`inside/${index}`);
      await qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', backing, '-F', 'raw', top, '1M');
      await assert.rejects(openPath(top, directory.path('inside')), { code: 'PERMISSION' }, backing);
      await using disk = await openPath(top, directory.path(''));
      assert.equal(disk.size, 2 ** 20);
    }
  });

  test('a ring is CORRUPT, a protocol UNSUPPORTED, and what is missing NOT_FOUND', async () => {
    await using directory = await imageDirectory();
    const [first, second] = [directory.path('first'), directory.path('second')];
    const create = (path: string, backing: string): Promise<string> =>
      qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', backing, '-F', 'qcow2', path, '1M');
    await create(first, 'second');
    await create(second, 'first');
    await assert.rejects(openPath(first, directory.path('')), { code: 'CORRUPT', message: /cannot be a ring/ });
    await create(first, 'json:{"driver":"qcow2"}');
    await assert.rejects(openPath(first, directory.path('')), { code: 'UNSUPPORTED', message: /json/ });
    await create(first, 'nbd://localhost/x');
    await assert.rejects(openPath(first, directory.path('')), { code: 'UNSUPPORTED', message: /nbd:/ });
    await create(first, 'gone');
    await assert.rejects(openPath(first, directory.path('')), { code: 'NOT_FOUND', message: /gone/ });
  });
});

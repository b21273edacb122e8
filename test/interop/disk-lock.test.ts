import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { openFileDevice } from '../../src/block/file-device.ts';
import { fileInformation, openFileDisk, openWritableDisk } from '../../src/image/file-disk.ts';
import { type ImageDirectory, imageDirectory, qemuImg } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);

/** Lets QEMU hold an image open while `use` works. */
async function whileQemuHas(path: string, options: readonly string[], use: () => Promise<void>): Promise<void> {
  const child = spawn('qemu-io', [...options, path], { stdio: 'pipe' });
  try {
    await opened(child);
    await use();
  } finally {
    child.stdin!.end('quit\n');
    await once(child, 'close');
  }
}

/** It answers a command once the image is open. */
async function opened(child: ChildProcess): Promise<void> {
  child.stdin!.write('length\n');
  const [answer] = await Promise.race([once(child.stdout!, 'data'), once(child, 'close')]);
  assert.ok(answer instanceof Uint8Array, 'qemu-io could not open the image');
}

async function someImage(directory: ImageDirectory): Promise<string> {
  const path = directory.path('disk.qcow2');
  await qemuImg('create', '-f', 'qcow2', path, '1M');
  return path;
}

describe('locks of disk files', { skip: skipWithout('qemu-img', 'qemu-io') }, () => {
  test('what QEMU writes is BUSY here, by its name, for readers and writers; info and force-share may look', async () => {
    await using directory = await imageDirectory();
    const path = await someImage(directory);
    await whileQemuHas(path, [], async () => {
      const busy = { code: 'BUSY', message: /qemu-io \(process \d+\) has it open for writing/ };
      await assert.rejects(openWritableDisk(path), busy);
      await assert.rejects(openFileDisk(path), busy);
      assert.equal((await fileInformation(path)).virtualSize, 2 ** 20);
      await using shared = await openFileDisk(path, { forceShare: true });
      assert.equal(shared.device.size, 2 ** 20);
    });
    await using disk = await openWritableDisk(path);
    assert.equal(disk.image.size, 2 ** 20);
  });

  test('what QEMU reads can be read here, and not written', async () => {
    await using directory = await imageDirectory();
    const path = await someImage(directory);
    await whileQemuHas(path, ['-r'], async () => {
      await using disk = await openFileDisk(path);
      assert.equal(disk.device.size, 2 ** 20);
      await assert.rejects(openWritableDisk(path), { code: 'BUSY', message: /reads it and counts on its staying/ });
    });
  });

  test('what is written here is locked for QEMU; what is read here can be read by it, and not written', async () => {
    await using directory = await imageDirectory();
    const path = await someImage(directory);
    {
      await using _writing = await openWritableDisk(path);
      await assert.rejects(qemuImg('map', path), /lock/);
    }
    await using _reading = await openFileDisk(path);
    await qemuImg('map', path);
    await assert.rejects(run('qemu-io', ['-c', 'write 0 512', path]), /lock/);
  });

  test('a file that QEMU uses as the base of another is not written to', async () => {
    await using directory = await imageDirectory();
    const base = await someImage(directory);
    const top = directory.path('top.qcow2');
    await qemuImg('create', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    await whileQemuHas(top, [], async () => {
      await assert.rejects(openFileDevice(base, { lock: true }), { code: 'BUSY' });
      await using disk = await openFileDisk(base);
      assert.equal(disk.device.size, 2 ** 20);
    });
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { isLinux } from '../linux/libc.ts';
import { type BlockDevice, isResizable } from './block-device.ts';
import { openFileDevice } from './file-device.ts';

const folder = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(folder, { recursive: true }));

let fileCount = 0;
function newPath(): string {
  fileCount += 1;
  return join(folder, `disk-${fileCount}`);
}

async function fileWith(content: Uint8Array): Promise<string> {
  const path = newPath();
  await writeFile(path, content);
  return path;
}

/** A file that is a hole wherever `content` is zeros. */
async function sparseFileDevice(content: Uint8Array): Promise<BlockDevice> {
  const device = await openFileDevice(newPath(), { createSize: content.length });
  if (content.some((byte) => byte !== 0)) await device.write(content, 0);
  return device;
}

testBlockDevice('file device', sparseFileDevice, { sparse: isLinux });
testBlockDevice(
  'file device, read-only',
  async (content) => openFileDevice(await fileWith(content), { readOnly: true }),
  { writable: false },
);

describe('openFileDevice', () => {
  test('reads and writes finish synchronously, flush does not hold the event loop up', async () => {
    await using device = await openFileDevice(await fileWith(pattern(10_000, 1)));
    assert.equal(device.read(new Uint8Array(10_000), 0), undefined);
    assert.equal(device.write(new Uint8Array(100), 9_900), undefined);
    assert.ok(device.flush() instanceof Promise);
  });

  test('what was written is in the file, and zero gives space back', { skip: !isLinux && 'needs holes' }, async () => {
    const path = await fileWith(pattern(2 ** 20 + 77, 2));
    await using device = await openFileDevice(path);
    await device.flush();
    const allocated = (await stat(path)).blocks;
    await device.zero(65536, 2 ** 20 - 65536);
    await device.flush();
    const expected = pattern(2 ** 20 + 77, 2).fill(0, 65536, 2 ** 20);
    assert.equal(Buffer.compare(await fs.promises.readFile(path), expected), 0);
    assert.ok((await stat(path)).blocks <= allocated / 4, `${(await stat(path)).blocks} blocks of ${allocated}`);
  });

  test('16 TiB less one page work to the last byte', { skip: !isLinux && 'needs holes' }, async (t) => {
    const size = 2 ** 44 - 4097;
    let device: BlockDevice;
    try {
      device = await openFileDevice(newPath(), { createSize: size });
    } catch (error) {
      assert.match(String(error), /NO_SPACE|larger than the file system allows/);
      return t.skip('files of 16 TiB do not fit this file system');
    }
    await using _ = device;
    await device.write(pattern(10, 3), size - 10);
    assertEqualBytes(await contentOf(device, size - 10, 10), pattern(10, 3), 'content');
    const extents = await extentsOf(device);
    assert.deepEqual(
      extents.map(({ kind }) => kind),
      ['hole', 'data'],
    );
    assert.equal(extents[1]!.offset + extents[1]!.length, size);
    await device.zero(0, size);
    assertEqualBytes(await contentOf(device, size - 10, 10), new Uint8Array(10), 'content');
  });

  test('createSize makes a file of that size, and never replaces one', async () => {
    const path = newPath();
    await (await openFileDevice(path, { createSize: 12_345 }))[Symbol.asyncDispose]();
    assert.equal((await stat(path)).size, 12_345);
    const message = `cannot create ${path}: it exists already`;
    await assert.rejects(openFileDevice(path, { createSize: 1 }), { code: 'EXISTS', message });
    assert.equal((await stat(path)).size, 12_345);
  });

  test('createSize larger than the file system allows is NO_SPACE and leaves no file behind', async () => {
    const path = newPath();
    await assert.rejects(openFileDevice(path, { createSize: 2 ** 53 - 1 }), { code: 'NO_SPACE' });
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  test('an empty file is a device of size 0', async () => {
    await using device = await openFileDevice(await fileWith(new Uint8Array(0)));
    assert.equal(device.size, 0);
  });

  test('a link is followed', async () => {
    const path = newPath();
    await symlink(await fileWith(pattern(5000, 4)), path);
    await using device = await openFileDevice(path);
    assertEqualBytes(await contentOf(device), pattern(5000, 4), 'content');
  });

  test('what is no disk is refused with its kind, before it is opened', async () => {
    const pipe = newPath();
    execFileSync('mkfifo', [pipe]);
    const refused = { [folder]: 'a directory', [pipe]: 'a pipe', '/dev/null': 'a character device' };
    for (const [path, kind] of Object.entries(refused)) {
      const message = `cannot open ${path}: it is ${kind}, not a disk`;
      for (const readOnly of [true, false])
        await assert.rejects(openFileDevice(path, { readOnly }), { code: 'INVALID', message });
    }
  });

  test('what is not there is NOT_FOUND, by the name it was given', async () => {
    await assert.rejects(openFileDevice(newPath(), { label: 'web' }), {
      code: 'NOT_FOUND',
      message: 'cannot open web: no such file or directory',
    });
  });

  test('a file opened read-only cannot be written even behind the checks', async () => {
    await using device = await openFileDevice(await fileWith(pattern(100, 5)), { readOnly: true, label: 'disk' });
    assert.throws(() => device.write(new Uint8Array(1), 0), { name: 'VarveError', message: /^cannot write disk: / });
  });
});

describe('a file that is cut short after it was opened', () => {
  let device: BlockDevice;

  before(async () => {
    const path = await fileWith(pattern(100_000, 6));
    device = await openFileDevice(path, { label: 'disk.raw' });
    await truncate(path, 5000);
  });
  after(() => device[Symbol.asyncDispose]());

  const message = 'cannot read disk.raw: byte 5000 is gone; it was cut short after it was opened';

  test('reads up to its end', async () => {
    assertEqualBytes(await contentOf(device, 0, 5000), pattern(100_000, 6).subarray(0, 5000), 'content');
  });

  test('fails a read past its end, and does not make zeros up', () => {
    assert.throws(() => device.read(new Uint8Array(2), 4999), { code: 'IO', message });
    assert.throws(() => device.read(new Uint8Array(2), 99_000), { code: 'IO' });
  });

  test('has no hole there', { skip: !isLinux && 'needs holes' }, async () => {
    await assert.rejects(extentsOf(device), { code: 'IO', message });
  });
});

describe('calls that the kernel does in part, or not now', () => {
  async function openTwin(): Promise<{ device: BlockDevice; content: Uint8Array }> {
    const content = pattern(10_000, 7);
    return { device: await openFileDevice(await fileWith(content), { label: 'disk.raw' }), content };
  }

  test('short reads and writes are gone on with', async (t) => {
    const { device, content } = await openTwin();
    await using _ = device;
    const [read, write] = [fs.readSync, fs.writeSync];
    const short =
      (call: typeof fs.readSync) => (fd: number, bytes: Uint8Array, start: number, length: number, at: number) =>
        call(fd, bytes, start, Math.min(length, 999), at);
    t.mock.method(fs, 'readSync', short(read));
    t.mock.method(fs, 'writeSync', short(write as typeof fs.readSync));
    assertEqualBytes(await contentOf(device), content, 'content');
    await device.write(pattern(5000, 8), 77);
    content.set(pattern(5000, 8), 77);
    assertEqualBytes(await contentOf(device), content, 'content');
  });

  for (const code of ['EINTR', 'EAGAIN']) {
    test(`${code} is tried again`, async (t) => {
      const { device, content } = await openTwin();
      await using _ = device;
      const read = fs.readSync as (...parameters: unknown[]) => number;
      let failures = 3;
      t.mock.method(fs, 'readSync', (...parameters: unknown[]) => {
        failures -= 1;
        if (failures >= 0) throw Object.assign(new Error(code), { code });
        return read(...parameters);
      });
      assertEqualBytes(await contentOf(device), content, 'content');
    });
  }

  test('what fails for good fails with its code and the name of the file', async (t) => {
    const { device } = await openTwin();
    await using _ = device;
    const failing = (code: string) => () => {
      throw Object.assign(new Error(code), { code });
    };
    t.mock.method(fs, 'writeSync', failing('ENOSPC'));
    t.mock.method(fs, 'readSync', failing('EIO'));
    const noSpace = { code: 'NO_SPACE', message: 'cannot write disk.raw: no space left on the device' };
    assert.throws(() => device.write(new Uint8Array(5), 0), noSpace);
    assert.throws(() => device.read(new Uint8Array(5), 0), {
      code: 'IO',
      message: 'cannot read disk.raw: input/output error',
    });
  });
});

test('a file device gets longer with what is written past its end, and shorter; what comes back is zeros', async () => {
  const path = newPath();
  await using device = await openFileDevice(path, { createSize: 1000 });
  assert.ok(isResizable(device));
  await device.write(pattern(500, 3), 200_000);
  assert.equal(device.size, 200_500);
  await device.resize(200_100);
  await device.resize(300_000);
  assert.equal((await stat(path)).size, 300_000);
  assertEqualBytes(await contentOf(device, 200_000, 100), pattern(500, 3).subarray(0, 100), 'what was kept');
  assertEqualBytes(await contentOf(device, 200_100, 99_900), new Uint8Array(99_900), 'what was cut off');
});

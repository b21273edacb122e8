import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blockDeviceSectorSize, blockDeviceSize } from './block-ioctl.ts';
import { allocate, punchHole, zeroRange } from './fallocate.ts';
import { freeSpace } from './free-space.ts';
import { isLinux } from './libc.ts';
import { lockFile, unlockFile } from './lock-file.ts';
import { seekData, seekHole } from './seek-data.ts';

const skip = isLinux ? false : 'these are Linux system calls';
const TiB = 2 ** 40;

describe('Linux system calls', { skip }, () => {
  let folder: string;
  let path: string;
  let fd: number;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-'));
    path = join(folder, 'disk');
    fd = fs.openSync(path, 'w+');
    fs.ftruncateSync(fd, 15 * TiB);
  });

  after(async () => {
    fs.closeSync(fd);
    await rm(folder, { recursive: true });
  });

  test('holes and data are found at offsets far past 2^32, where they are', () => {
    const offset = 9 * TiB + 2 ** 32 + 2 ** 16;
    fs.writeSync(fd, Buffer.from('data'), 0, 4, offset);
    assert.equal(seekData(fd, 0), offset);
    assert.equal(seekData(fd, offset + 1), offset + 1);
    const hole = seekHole(fd, offset)!;
    assert.ok(hole > offset && hole <= offset + 2 ** 16, `the hole starts at ${hole}`);
    assert.equal(seekHole(fd, 5 * TiB), 5 * TiB);
    assert.equal(seekData(fd, hole), undefined);
    punchHole(fd, offset, 4);
  });

  test('past the end of the file, up to 2^53, there is neither', () => {
    assert.equal(seekData(fd, 15 * TiB), undefined);
    assert.equal(seekData(fd, Number.MAX_SAFE_INTEGER), undefined);
    assert.equal(seekHole(fd, Number.MAX_SAFE_INTEGER), undefined);
  });

  test('punchHole gives the space of exactly its range back and keeps the size', () => {
    const offset = 7 * TiB;
    fs.writeSync(fd, Buffer.alloc(3 * 65536, 'x'), 0, 3 * 65536, offset);
    fs.fsyncSync(fd);
    const { blocks, size } = fs.fstatSync(fd);
    assert.equal(punchHole(fd, offset + 65535, 65538), true);
    const stats = fs.fstatSync(fd);
    assert.deepEqual([stats.size, blocks - stats.blocks], [size, 65536 / 512]);
    const content = Buffer.alloc(3 * 65536);
    fs.readSync(fd, content, 0, content.length, offset);
    const expected = Buffer.alloc(3 * 65536, 'x').fill(0, 65535, 65535 + 65538);
    assert.equal(Buffer.compare(content, expected), 0);
  });

  test('zeroRange zeroes, or says that the file system cannot and changes nothing', () => {
    fs.writeSync(fd, Buffer.alloc(8192, 'y'), 0, 8192, 6 * TiB);
    const done = zeroRange(fd, 6 * TiB + 1, 4096);
    const content = Buffer.alloc(8192);
    fs.readSync(fd, content, 0, 8192, 6 * TiB);
    const expected = Buffer.alloc(8192, 'y').fill(0, done ? 1 : 8192, done ? 4097 : 8192);
    assert.equal(Buffer.compare(content, expected), 0);
  });

  test('allocate takes space and grows the file', () => {
    const other = fs.openSync(join(folder, 'allocated'), 'w+');
    try {
      const done = allocate(other, 0, 2 ** 20);
      const { size, blocks } = fs.fstatSync(other);
      assert.deepEqual([size, blocks * 512 >= 2 ** 20], done ? [2 ** 20, true] : [0, false]);
    } finally {
      fs.closeSync(other);
    }
  });

  test('a failure says what, which and why, and keeps the errno', () => {
    const readOnly = fs.openSync(path, 'r');
    try {
      assert.throws(() => punchHole(readOnly, 0, 4096, 'disk.raw'), {
        name: 'VarveError',
        code: 'IO',
        message: 'cannot punch a hole in disk.raw: EBADF',
      });
      const [ask, cause] = [() => blockDeviceSize(readOnly, 'disk.raw'), { code: 'ENOTTY', syscall: 'ioctl' }];
      assert.throws(ask, (error: Error) => {
        assert.match(error.message, /^cannot ask for the size of disk\.raw: /);
        assert.deepEqual({ ...(error.cause as object) }, { ...cause, errno: -25 });
        return true;
      });
      assert.throws(() => blockDeviceSectorSize(readOnly), { name: 'VarveError' });
    } finally {
      fs.closeSync(readOnly);
    }
  });

  test('freeSpace counts bytes, and of what is not there is NOT_FOUND', async () => {
    const available = await freeSpace(folder);
    assert.ok(Number.isSafeInteger(available) && available > 0, `${available} bytes`);
    await assert.rejects(freeSpace(join(folder, 'nothing')), { code: 'NOT_FOUND' });
  });

  test('a lock is refused while another open file holds it, shared with the shared, and ends with its file', () => {
    const [first, second] = [fs.openSync(path, 'r+'), fs.openSync(path, 'r')];
    try {
      assert.equal(lockFile(first, 'shared'), true);
      assert.equal(lockFile(second, 'shared'), true);
      assert.equal(lockFile(second, 'exclusive'), false);
      unlockFile(first);
      assert.equal(lockFile(second, 'exclusive'), true);
      assert.equal(lockFile(first, 'shared'), false);
    } finally {
      fs.closeSync(second);
    }
    assert.equal(lockFile(first, 'exclusive'), true);
    fs.closeSync(first);
  });

  test('importing all of it does not load koffi', () => {
    const script = `for (const name of ['fallocate', 'seek-data', 'lock-file', 'block-ioctl', 'free-space'])
        await import(${JSON.stringify(import.meta.dirname)} + '/' + name + '.ts');
      const { createRequire } = await import('node:module');
      console.log(Object.keys(createRequire('/').cache).filter((name) => name.includes('koffi')).length);`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(output.trim(), '0');
  });
});

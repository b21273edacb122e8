import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { isLinux } from '../linux/libc.ts';
import { openFileDevice } from './file-device.ts';

/*
 * The file device on file systems that can less than the usual ones, and on other systems than Linux.
 */

const folder = await mkdtemp(join(tmpdir(), 'varve-'));
const mounted: string[] = [];

after(async () => {
  for (const path of mounted) execFileSync('umount', [path]);
  await rm(folder, { recursive: true });
});

function mount(type: string, path: string, options = 'defaults'): void {
  execFileSync('mount', ['-t', type, '-o', options, 'varve', path], { stdio: 'pipe' });
  mounted.push(path);
}

/** Where the file system is mounted, and why it could not be. */
async function tryMount(type: string, options?: string): Promise<{ path: string; skip: string | false }> {
  const path = join(folder, `${type}-${mounted.length}`);
  await mkdir(path);
  try {
    mount(type, path, options);
    return { path, skip: false };
  } catch (error) {
    return { path, skip: `cannot mount ${type}: ${(error as Error).message.trim().split('\n').at(-1)}` };
  }
}

const ramfs = await tryMount('ramfs');
const tmpfs = await tryMount('tmpfs', 'size=1m');

let fileCount = 0;
async function fileOn(path: string, content: Uint8Array): Promise<string> {
  fileCount += 1;
  const file = join(path, `disk-${fileCount}`);
  await writeFile(file, content);
  return file;
}

testBlockDevice(
  'file device on ramfs, which cannot punch holes',
  async (content) => openFileDevice(await fileOn(ramfs.path, content)),
  { skip: ramfs.skip, sizes: [1, 70_001], runs: 10 },
);

describe('file device on ramfs', { skip: ramfs.skip }, () => {
  test('trim changes nothing, and zero writes zeros without holding the event loop up', async () => {
    const content = pattern(80_000_000, 1);
    await using device = await openFileDevice(await fileOn(ramfs.path, content));
    await device.trim(0, device.size);
    assertEqualBytes(await contentOf(device, 0, 100_000), content.subarray(0, 100_000), 'trimmed');
    const zeroing = device.zero(7, 79_999_000);
    assert.ok(zeroing instanceof Promise);
    await zeroing;
    assertEqualBytes(await contentOf(device), content.fill(0, 7, 79_999_007), 'zeroed');
  });
});

describe('file device on a full file system', { skip: tmpfs.skip }, () => {
  test('a write that does not fit is NO_SPACE and names the file; zero gives the space back', async () => {
    const path = join(tmpfs.path, 'large');
    await using device = await openFileDevice(path, { createSize: 4 * 2 ** 20 });
    const expected = { code: 'NO_SPACE', message: `cannot write ${path}: no space left on the device` };
    assert.throws(() => device.write(pattern(2 ** 21, 1), 0), expected);
    await device.zero(0, device.size);
    assert.equal((await stat(path)).blocks, 0);
    assert.deepEqual(await extentsOf(device), [{ offset: 0, length: 4 * 2 ** 20, kind: 'hole' }]);
    await device.write(pattern(2 ** 19, 2), 2 ** 20);
    assertEqualBytes(await contentOf(device, 2 ** 20, 2 ** 19), pattern(2 ** 19, 2), 'what fits');
  });

  test('a file system that is read-only is READ_ONLY to open for writing and to create in', async () => {
    const path = join(tmpfs.path, 'small');
    await writeFile(path, pattern(100, 3));
    execFileSync('mount', ['-o', 'remount,ro', tmpfs.path]);
    await assert.rejects(openFileDevice(path), {
      code: 'READ_ONLY',
      message: `cannot open ${path}: the file system is read-only`,
    });
    await assert.rejects(openFileDevice(`${path}-new`, { createSize: 1 }), { code: 'READ_ONLY' });
    await using device = await openFileDevice(path, { readOnly: true });
    assertEqualBytes(await contentOf(device), pattern(100, 3), 'the content');
  });
});

test('elsewhere than on Linux a file device works without holes, and the system calls are UNSUPPORTED', async () => {
  const path = await fileOn(folder, pattern(10_000, 4));
  await truncate(path, 30_000);
  const script = `
    Object.defineProperty(process, 'platform', { value: 'plan9' });
    const { openFileDevice } = await import(${JSON.stringify(join(import.meta.dirname, 'file-device.ts'))});
    const { punchHole } = await import(${JSON.stringify(join(import.meta.dirname, '../linux/fallocate.ts'))});
    const device = await openFileDevice(${JSON.stringify(path)});
    device.trim(0, 100);
    device.zero(200, 300);
    try { punchHole(1, 0, 1); } catch (error) { console.log(error.code + ': ' + error.message); }
    console.log(JSON.stringify([device.supports, ...device.extents(5, 20_000)]));
    await device.flush();`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const [refusal, answer] = output.split('\n');
  assert.match(refusal!, /^UNSUPPORTED: cannot make Linux system calls: this is plan9 /);
  assert.deepEqual(JSON.parse(answer!), [
    { write: true, trim: false, zero: false, extents: false },
    { offset: 5, length: 20_000, kind: 'data' },
  ]);
  await using device = await openFileDevice(path);
  assert.equal(device.supports.extents, isLinux);
  const expected = new Uint8Array(30_000);
  expected.set(pattern(10_000, 4).fill(0, 200, 500));
  assertEqualBytes(await contentOf(device), expected, 'the content');
});

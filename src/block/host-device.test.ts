import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { openFileDevice } from './file-device.ts';

/** A loop device over a file. */
interface Loop {
  readonly path: string;
  readonly backing: string;
}

function attach(backing: string): Loop {
  const output = execFileSync('losetup', ['--find', '--show', backing], { encoding: 'utf8', stdio: 'pipe' });
  return { path: output.trim(), backing };
}

function detach(loop: Loop): void {
  execFileSync('losetup', ['--detach', loop.path]);
}

const folder = await mkdtemp(join(tmpdir(), 'varve-'));
const skip = await whyNoLoopDevices();
const loops = new Map<number, Loop>();

after(async () => {
  for (const loop of loops.values()) detach(loop);
  await rm(folder, { recursive: true });
});

async function whyNoLoopDevices(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'loop devices need root';
  try {
    accessSync('/dev/loop-control', constants.W_OK);
    detach(await newLoop(4096));
    return false;
  } catch (error) {
    return `losetup does not work here: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

async function newLoop(size: number): Promise<Loop> {
  const backing = join(folder, `backing-${size}`);
  await writeFile(backing, '');
  await truncate(backing, size);
  return attach(backing);
}

/** One for each size: attaching one for every test would take most of the time. */
async function loopOf(size: number): Promise<Loop> {
  const loop = loops.get(size) ?? (await newLoop(size));
  loops.set(size, loop);
  return loop;
}

async function loopWith(content: Uint8Array): Promise<Loop> {
  const loop = await loopOf(content.length);
  await using device = await openFileDevice(loop.path);
  await device.write(content, 0);
  await device.flush();
  return loop;
}

const sizes = [512, 8192, 200_192];
testBlockDevice('host device', async (content) => openFileDevice((await loopWith(content)).path), {
  skip,
  sizes,
  runs: 8,
});
testBlockDevice(
  'host device, read-only',
  async (content) => openFileDevice((await loopWith(content)).path, { readOnly: true }),
  { skip, sizes, writable: false },
);

describe('host device', { skip }, () => {
  const size = 2 ** 20;
  let loop: Loop;
  before(async () => {
    loop = await loopOf(size);
  });

  test('knows its size, and likes whole pages', async () => {
    await using device = await openFileDevice(loop.path);
    assert.equal(device.size, size);
    assert.equal(device.blockSize % 4096, 0);
  });

  test('flush brings what was written to the disk below', async () => {
    await using device = await openFileDevice(loop.path);
    await device.write(pattern(size, 1), 0);
    await device.flush();
    assert.equal(Buffer.compare(await readFile(loop.backing), pattern(size, 1)), 0);
  });

  test('trim gives space back', async () => {
    await using device = await openFileDevice(loop.path);
    await device.write(pattern(size, 2), 0);
    await device.flush();
    const before = (await stat(loop.backing)).blocks;
    await device.trim(1, size - 2);
    assert.ok((await stat(loop.backing)).blocks < before / 2);
  });

  test('zero clears what is cached, too, to the byte', async () => {
    await using device = await openFileDevice(loop.path);
    const expected = pattern(size, 3);
    await device.write(expected, 0);
    await device.zero(1000, 500_000);
    assertEqualBytes(await contentOf(device), expected.fill(0, 1000, 501_000), 'content');
  });

  test('one that is in use is BUSY for writing and says what to do; for reading it opens', async () => {
    await using device = await openFileDevice(loop.path);
    const message = `cannot open ${loop.path}: it is mounted or otherwise in use; unmount it first, or open it read-only`;
    await assert.rejects(openFileDevice(loop.path), { code: 'BUSY', message });
    await using reader = await openFileDevice(loop.path, { readOnly: true });
    assert.equal(reader.size, device.size);
  });
});

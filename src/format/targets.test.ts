import assert from 'node:assert/strict';
import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { deviceTarget } from './device-target.ts';
import { fileTarget } from './file-target.ts';
import { streamTarget } from './stream-target.ts';
import { writeRaw } from './write-raw.ts';

async function withFile(use: (file: FileHandle, path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    await using file = await open(join(directory, 'file'), 'wx+');
    await use(file, join(directory, 'file'));
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('fileTarget writes, zeroes, and ends the file where it is told', async () => {
  await withFile(async (file, path) => {
    const target = fileTarget(file.fd, path);
    await target.write(pattern(5000, 1), 1000);
    await target.zero(2000, 10);
    await target.finish(5500);
    const expected = new Uint8Array(5500);
    expected.set(pattern(5000, 1).subarray(0, 4500), 1000);
    expected.fill(0, 2000, 2010);
    assert.deepEqual(new Uint8Array(await readFile(path)), expected);
  });
});

test('streamTarget gives the stream every byte in order, zeros written out', async () => {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    highWaterMark: 10,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      setImmediate(done);
    },
  });
  const source = memoryDevice(5 * 2 ** 20);
  await source.write(pattern(100_000, 1), 3 * 2 ** 20 + 77);
  await writeRaw(source, streamTarget(stream, 'the pipe'));
  assert.equal(Buffer.compare(Buffer.concat(chunks), await contentOf(source)), 0);
});

test('a stream that fails fails the write, and nothing is left unhandled', async () => {
  const stream = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    },
  });
  const target = streamTarget(stream, 'the pipe');
  await assert.rejects(async () => target.write(new Uint8Array(10), 0), {
    code: 'IO',
    message: /write the pipe: EPIPE/,
  });
  await assert.rejects(async () => target.write(new Uint8Array(10), 10), { code: 'IO', message: /EPIPE/ });
});

test('a device that is too small is refused before anything is written to it', async () => {
  const device = memoryDevice(pattern(4096, 1));
  await assert.rejects(writeRaw(memoryDevice(4097), deviceTarget(device)), { code: 'NO_SPACE' });
  assert.deepEqual(await contentOf(device), pattern(4096, 1));
  assert.throws(() => deviceTarget(device).write(new Uint8Array(97), 4000), { code: 'NO_SPACE' });
});

test('a device that held something else reads as the disk, and as it was behind it', async () => {
  const device = memoryDevice(pattern(300_000, 1));
  const source = memoryDevice(200_000);
  await source.write(pattern(5000, 2), 70_000);
  await writeRaw(source, deviceTarget(device));
  assert.deepEqual(await contentOf(device, 0, 200_000), await contentOf(source));
  assert.deepEqual(await contentOf(device, 200_000), pattern(300_000, 1).subarray(200_000));
});

test('raw refuses options that it does not have', async () => {
  const target = deviceTarget(memoryDevice(4096));
  for (const options of [{ compression: 'zstd' }, { clusterSize: 4096 }] as const) {
    await assert.rejects(writeRaw(memoryDevice(4096), target, options), { code: 'INVALID' });
  }
});

import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { openNbdDevice } from '../../block/nbd/nbd-device.ts';
import { assertEqualBytes, pattern } from '../../conformance/device-content.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { sharedEntry } from './nbd-export.ts';
import { listenNbd, type NbdServer } from './nbd-server.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

const diskSize = 2 ** 24;
const content = pattern(diskSize, 6);
/** Some of each way: copied, sent from the file, more than a socket takes at once. */
const lengths = [4096, 65_536, 131_072, 1, 300_000, 2 ** 21, 100_000, 512];

let diskCount = 0;

/** A file with `content`, as a device that says where in the file a range is. */
async function disk(): Promise<{ path: string; device: BlockDevice }> {
  diskCount += 1;
  const path = join(directory, `${diskCount}.raw`);
  const device = await openFileDevice(path, { createSize: diskSize });
  await device.write(content, 0);
  return { path, device };
}

async function serving(device: BlockDevice): Promise<{ path: string; server: NbdServer }> {
  const path = join(directory, `${diskCount}.sock`);
  const exports = { list: () => [{ name: '' }], find: () => sharedEntry({ device }) };
  return { path, server: await listenNbd({ kind: 'unix', path }, { exports }) };
}

/** Reads all of it, with many requests in flight, and requires that it is `wanted`. */
async function requireContent(path: string, wanted: Uint8Array): Promise<void> {
  await using client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
  const reads = [];
  for (let offset = 0; offset < wanted.length; ) {
    const length = Math.min(lengths[reads.length % lengths.length] as number, wanted.length - offset);
    reads.push(requireRead(client, wanted.subarray(offset, offset + length), offset));
    offset += length;
  }
  await Promise.all(reads);
}

async function requireRead(client: BlockDevice, wanted: Uint8Array, offset: number): Promise<void> {
  const target = new Uint8Array(wanted.length);
  await client.read(target, offset);
  assertEqualBytes(target, wanted, `read at ${offset}`);
}

test('what is sent from a file is what a client would read, through filters that pass it on, too', async () => {
  const { device } = await disk();
  const sliced = checkedDevice(readOnlyFilter(sliceFilter(device, { offset: 1000, length: diskSize - 3000 })));
  assert.ok(sliced.fileRange?.(0, 65536) !== undefined, 'it is sent from the file');
  const { path, server } = await serving(sliced);
  await requireContent(path, content.subarray(1000, diskSize - 2000));
  await server.shutDown();
  await device[Symbol.asyncDispose]();
});

test('a client that takes replies from a file slowly gets all of them', async () => {
  const { device } = await disk();
  const { path, server } = await serving(device);
  const slow = join(directory, 'slow.sock');
  const relay = net.createServer((socket) => {
    const far = net.connect(path);
    far.on('data', (chunk: Buffer) => {
      far.pause();
      socket.write(chunk, () => setTimeout(() => far.resume(), 1));
    });
    socket.on('error', () => undefined).on('close', () => far.destroy());
    far.on('error', () => undefined).on('close', () => socket.destroy());
    socket.pipe(far);
  });
  await new Promise<void>((resolve) => relay.listen(slow, resolve));
  await requireContent(slow, content);
  relay.close();
  await server.shutDown();
  await device[Symbol.asyncDispose]();
});

test('reads see the writes that were answered before, and those in between requests in flight', async () => {
  const { device } = await disk();
  const { path, server } = await serving(device);
  {
    await using client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
    const length = 2 ** 17;
    for (let round = 0; round < 40; round += 1) {
      const offset = (round % 8) * length;
      const others = requireRead(client, content.subarray(2 ** 22, 2 ** 23), 2 ** 22);
      const written = pattern(length, 100 + round);
      await client.write(written, offset);
      await requireRead(client, written, offset);
      await others;
    }
  }
  await server.shutDown();
  await device[Symbol.asyncDispose]();
});

test('a read of a file that was cut short is an error, and the connection lives on', async () => {
  const { device, path: file } = await disk();
  const { path, server } = await serving(device);
  {
    await using client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
    await truncate(file, 2 ** 20);
    await assert.rejects(async () => await client.read(new Uint8Array(2 ** 17), 2 ** 20 - 2 ** 16), { code: 'IO' });
    await requireRead(client, content.subarray(0, 2 ** 17), 0);
  }
  await server.shutDown();
  await device[Symbol.asyncDispose]();
});

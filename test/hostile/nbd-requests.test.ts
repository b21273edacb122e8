import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import {
  chunkTypes,
  commandFlags,
  commands,
  infoTypes,
  nbdErrors,
  optionReplies,
  options,
  transmissionFlags,
} from '../../src/protocol/nbd/constants.ts';
import { encodeInfoRequest } from '../../src/protocol/nbd/option-codec.ts';
import { type NbdExport, sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd, type NbdServer } from '../../src/server/nbd/nbd-server.ts';
import { PlainNbdClient } from './nbd-client.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const path = join(directory, 'nbd.sock');

async function serving(nbdExport: NbdExport): Promise<NbdServer> {
  const exports = {
    list: () => [{ name: 'disk' }],
    find: (name: string) => (['', 'disk'].includes(name) ? sharedEntry(nbdExport) : undefined),
  };
  return await listenNbd({ kind: 'unix', path }, { exports });
}

/** Every second 64 KiB is a hole. */
function someDisk(): NbdExport {
  const content = new Uint8Array(2 ** 20);
  for (let offset = 0; offset < content.length; offset += 2 ** 17) content.set(pattern(2 ** 16, offset), offset);
  const depth = (offset: number, length: number) => [{ length: Math.min(length, 2 ** 20 - offset), flags: 1 }];
  return { device: memoryDevice(content), contexts: new Map([['qemu:allocation-depth', depth]]) };
}

function statusQuery(length: number, ...contextIds: number[]): Uint8Array {
  const payload = Buffer.alloc(8 + 4 * contextIds.length);
  payload.writeBigUInt64BE(BigInt(length));
  for (const [index, id] of contextIds.entries()) payload.writeUInt32BE(id, 8 + 4 * index);
  return payload;
}

describe('extended headers', () => {
  const contexts = ['base:allocation', 'qemu:allocation-depth'];

  test('a write says that it has a payload, and what should have none is read past and refused', async () => {
    await using _server = await serving(someDisk());
    const client = await new PlainNbdClient(path).go({ style: 'extended' });
    const payload = pattern(512, 9);
    client.send({ command: commands.WRITE, flags: commandFlags.PAYLOAD_LEN, offset: 1000, payload });
    assert.deepEqual(await client.answer(), { cookie: 1, error: 0, chunks: [] });
    client.send({ command: commands.WRITE, offset: 1000, length: 512 });
    assert.equal((await client.answer())?.error, nbdErrors.EINVAL);
    for (const command of [commands.READ, commands.FLUSH, commands.TRIM, commands.WRITE_ZEROES, commands.CACHE, 99]) {
      client.send({ command, flags: commandFlags.PAYLOAD_LEN, offset: 0, payload });
      assert.equal((await client.answer())?.error, nbdErrors.EINVAL);
    }
    client.send({ command: commands.READ, offset: 1000, length: 512 });
    const answer = await client.answer();
    assert.deepEqual(answer?.chunks[0]?.payload.subarray(8), Buffer.from(payload));
    client.stream.destroy();
  });

  test('a status by payload is of the contexts that it names', async () => {
    await using _server = await serving(someDisk());
    const client = await new PlainNbdClient(path).go({ style: 'extended', contexts });
    assert.notEqual(client.flags & transmissionFlags.BLOCK_STATUS_PAYLOAD, 0);
    const ask = async (payload: Uint8Array, flags = 0): Promise<[error: number, ids: number[]]> => {
      client.send({ command: commands.BLOCK_STATUS, flags: flags | commandFlags.PAYLOAD_LEN, offset: 0, payload });
      const answer = await client.answer();
      return [answer?.error ?? -1, answer?.chunks.map(({ payload: bytes }) => bytes.readUInt32BE(0)) ?? []];
    };
    assert.deepEqual(await ask(statusQuery(2 ** 20, 2)), [0, [2]]);
    assert.deepEqual(await ask(statusQuery(2 ** 20, 2, 1)), [0, [1, 2]]);
    assert.deepEqual(await ask(statusQuery(2 ** 20, 1), commandFlags.REQ_ONE), [0, [1]]);
    const wrong = [statusQuery(512), statusQuery(512, 3), statusQuery(512, 1, 1), statusQuery(2 ** 20 + 1, 1)];
    wrong.push(statusQuery(0, 1), statusQuery(Number.MAX_SAFE_INTEGER, 1), new Uint8Array(7), new Uint8Array(20_000));
    for (const payload of wrong) assert.deepEqual(await ask(payload), [nbdErrors.EINVAL, []]);
    client.send({ command: commands.BLOCK_STATUS, offset: 0, length: 2 ** 20 });
    assert.equal((await client.answer())?.chunks.length, 2);
    client.stream.destroy();
  });

  test('without them nothing but a write has a payload', async () => {
    await using _server = await serving(someDisk());
    const client = await new PlainNbdClient(path).go({ style: 'structured', contexts });
    assert.equal(client.flags & transmissionFlags.BLOCK_STATUS_PAYLOAD, 0);
    client.send({ command: commands.BLOCK_STATUS, flags: commandFlags.PAYLOAD_LEN, length: 512 });
    assert.equal((await client.answer())?.error, nbdErrors.EINVAL);
    client.send({ command: commands.BLOCK_STATUS, length: 512 });
    assert.equal((await client.answer())?.error, 0);
    client.stream.destroy();
  });
});

test('a read in one piece is one, whatever the holes, and others are cut at them', async () => {
  await using _server = await serving(someDisk());
  const client = await new PlainNbdClient(path).go({ style: 'structured' });
  client.send({ command: commands.READ, flags: commandFlags.DF, offset: 0, length: 2 ** 20 });
  assert.deepEqual(
    (await client.answer())?.chunks.map(({ type }) => type),
    [chunkTypes.OFFSET_DATA],
  );
  client.send({ command: commands.READ, offset: 0, length: 2 ** 20 });
  const types = new Set((await client.answer())?.chunks.map(({ type }) => type));
  assert.deepEqual(types, new Set([chunkTypes.OFFSET_DATA, chunkTypes.OFFSET_HOLE]));
  client.send({ command: commands.READ, flags: commandFlags.DF, offset: 0, length: 2 ** 26 });
  assert.equal((await client.answer())?.error, nbdErrors.EINVAL);
  client.stream.destroy();
});

test('a status of one run is one, and no longer than it was asked for', async () => {
  await using _server = await serving(someDisk());
  const client = await new PlainNbdClient(path).go({ style: 'structured', contexts: ['base:allocation'] });
  for (const [offset, length, expected] of [
    [0, 2 ** 20, 65536],
    [100, 512, 512],
    [65536, 4096, 4096],
  ] as const) {
    client.send({ command: commands.BLOCK_STATUS, flags: commandFlags.REQ_ONE, offset, length });
    const payload = (await client.answer())?.chunks[0]?.payload;
    assert.deepEqual([payload?.length, payload?.readUInt32BE(4)], [12, expected]);
  }
  client.stream.destroy();
});

test('what is said of an export keeps to what strings may be', async () => {
  await using _server = await serving({ ...someDisk(), description: `${'é'.repeat(3000)}\0` });
  const client = new PlainNbdClient(path);
  await client.greet();
  const types = [infoTypes.NAME, infoTypes.DESCRIPTION, infoTypes.BLOCK_SIZE, 77];
  const answers = await client.option(options.INFO, encodeInfoRequest({ name: 'disk', types }));
  const told = new Map(answers.slice(0, -1).map(({ data }) => [data.readUInt16BE(0), data.subarray(2)]));
  assert.deepEqual([...told.keys()], [infoTypes.EXPORT, infoTypes.NAME, infoTypes.DESCRIPTION, infoTypes.BLOCK_SIZE]);
  assert.equal(told.get(infoTypes.DESCRIPTION)?.toString(), 'é'.repeat(2048));
  const unknown = await client.option(options.INFO, encodeInfoRequest({ name: 'x'.repeat(4096), types: [] }));
  assert.equal(unknown[0]?.type, optionReplies.ERR_UNKNOWN);
  assert.ok((unknown[0]?.data.length ?? 0) <= 4096);
  const answer = await client.option(99, pattern(1000, 1));
  assert.equal(answer[0]?.type, optionReplies.ERR_UNSUP);
  client.stream.destroy();
});

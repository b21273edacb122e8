import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openNbdDevice } from './nbd-device.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

const size = 2 ** 20;
const greeting = Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), numbers([2, 3])]);

/** Numbers as bytes, the most significant first; each as [bytes, value]. */
function numbers(...fields: [length: 2 | 4 | 8, value: number | bigint][]): Buffer {
  return Buffer.concat(
    fields.map(([length, value]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(value));
      return bytes.subarray(8 - length);
    }),
  );
}

function optionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([numbers([8, 0x3e889045565a9n], [4, option], [4, type], [4, data.length]), data]);
}

/** What a server of one export says to each option, up to GO. */
function optionAnswer(option: number): Buffer {
  if (option === 8) return optionReply(8, 1);
  if (option === 10) {
    const context = Buffer.concat([numbers([4, 1]), Buffer.from('base:allocation')]);
    return Buffer.concat([optionReply(10, 4, context), optionReply(10, 1)]);
  }
  const flags = 1 | 4 | 0x20;
  return Buffer.concat([optionReply(7, 3, numbers([2, 0], [8, size], [2, flags])), optionReply(7, 1)]);
}

/** What a server answers to a request, by the eight bytes of its cookie. */
type Answer = (socket: net.Socket, cookie: Buffer) => void;

/** A server that shakes hands as it should, and then answers as it likes. */
async function hostileServer(answer: Answer): Promise<{ path: string; count: () => number } & AsyncDisposable> {
  const path = join(directory, `${Math.random()}.sock`);
  const sockets = new Set<net.Socket>();
  let count = 0;
  const server = net.createServer((socket) => {
    count += 1;
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.write(greeting);
    let received = Buffer.alloc(0);
    let isReady = false;
    let isGreeted = false;
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (!isGreeted && received.length >= 4) {
        isGreeted = true;
        received = received.subarray(4);
      }
      while (!isReady && received.length >= 16 && received.length >= 16 + received.readUInt32BE(12)) {
        const option = received.readUInt32BE(8);
        received = received.subarray(16 + received.readUInt32BE(12));
        isReady = option === 7;
        socket.write(optionAnswer(option));
      }
      if (isReady && received.length >= 28) answer(socket, received.subarray(8, 16));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    count: () => count,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function chunk(cookie: Buffer, type: number, length: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([numbers([4, 0x668e33ef], [2, 1], [2, type]), cookie, numbers([4, length]), data]);
}

const other = Buffer.from('ffffffff00000009', 'hex');
const [dataType, holeType, statusType, errorType] = [1, 2, 5, 0x8001];

const misbehaviours: [what: string, answer: Answer][] = [
  ['garbage', (socket) => socket.write(Buffer.alloc(100_000, 'garbage'))],
  ['a reply to nothing', (socket) => socket.write(chunk(other, 0, 0))],
  ['a simple reply to nothing', (socket) => socket.write(numbers([4, 0x67446698], [4, 0], [8, 77]))],
  ['a chunk of 4 GiB', (socket, cookie) => socket.write(chunk(cookie, errorType, 2 ** 32 - 1))],
  ['data of 4 GiB', (socket, cookie) => socket.write(chunk(cookie, dataType, 2 ** 32 - 1, numbers([8, 0])))],
  ['data for another place', (socket, cookie) => socket.write(chunk(cookie, dataType, 12, numbers([8, 4096], [4, 0])))],
  ['data at 2^63', (socket, cookie) => socket.write(chunk(cookie, dataType, 12, numbers([8, 2n ** 63n], [4, 0])))],
  ['a hole of 4 GiB', (socket, cookie) => socket.write(chunk(cookie, holeType, 12, numbers([8, 0], [4, 2 ** 32 - 1])))],
  [
    'a chunk without what it should hold',
    (socket, cookie) => socket.write(chunk(cookie, holeType, 4, numbers([4, 0]))),
  ],
  [
    'the status of blocks, which nobody wanted',
    (socket, cookie) => socket.write(chunk(cookie, statusType, 4, numbers([4, 1]))),
  ],
  ['no data at all', (socket, cookie) => socket.write(chunk(cookie, 0, 0))],
  ['a chunk of an unknown type', (socket, cookie) => socket.write(chunk(cookie, 99, 0))],
  [
    'an error longer than its chunk',
    (socket, cookie) => socket.write(chunk(cookie, errorType, 6, numbers([4, 5], [2, 60_000]))),
  ],
];

for (const [what, answer] of misbehaviours) {
  test(`a server that answers a read with ${what} is CORRUPT at once, and not asked again`, {
    timeout: 5000,
  }, async () => {
    await using server = await hostileServer(answer);
    await using device = await openNbdDevice({ server: { kind: 'unix', path: server.path }, exportName: '' });
    assert.equal(device.size, size);
    await assert.rejects(async () => device.read(new Uint8Array(512), 0), { code: 'CORRUPT' });
    assert.equal(server.count(), 1);
  });
}

test('a server that always breaks off in the middle of an answer is given up', { timeout: 20_000 }, async () => {
  await using server = await hostileServer((socket, cookie) =>
    socket.end(chunk(cookie, dataType, 520).subarray(0, 10)),
  );
  const address = { server: { kind: 'unix', path: server.path }, exportName: '' } as const;
  await using device = await openNbdDevice(address, { retries: 3 });
  await assert.rejects(async () => device.read(new Uint8Array(512), 0), { code: 'IO' });
  assert.equal(server.count(), 4);
});

test('runs without length, and too many of them, end the walk over extents', { timeout: 5000 }, async () => {
  for (const runs of [[0], [0, 0, 0], [2 ** 32 - 1, 5, 5]]) {
    const fields = runs.flatMap((length): [4, number][] => [
      [4, length],
      [4, 3],
    ]);
    const data = numbers([4, 1], ...fields);
    await using server = await hostileServer((socket, cookie) =>
      socket.write(chunk(cookie, statusType, data.length, data)),
    );
    await using device = await openNbdDevice({ server: { kind: 'unix', path: server.path }, exportName: '' });
    let end = 0;
    for await (const extent of device.extents(0, size)) end = extent.offset + extent.length;
    assert.equal(end, size);
  }
});

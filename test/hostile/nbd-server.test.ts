import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { projectDirectory } from '../../scripts/project.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { commands, optionReplies, options } from '../../src/protocol/nbd/constants.ts';
import { encodeInfoRequest, encodeOption } from '../../src/protocol/nbd/option-codec.ts';
import { endure as endureBeside, type GoodClient } from './endure.ts';
import { PlainNbdClient } from './nbd-client.ts';

const size = 2 ** 22;
const content = pattern(size, 3);
/** What clients may make the server take, and what it takes by itself to serve them: buffers of the kernel's and Node's. */
const maximumGrowth = 200 * 2 ** 20;

let directory: string;
let server: ChildProcess;
let path: string;

before(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  path = join(directory, 'nbd.sock');
  fs.writeFileSync(join(directory, 'disk.raw'), content);
  const bounds = ['--handshake-timeout', '2s', '--stall-timeout', '1s', '--max-memory', '32M', '--max-clients', '400'];
  server = spawn(join(projectDirectory, 'varve'), ['serve', './disk.raw', '--read-only', '--socket', path, ...bounds], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout!, 'data');
});

after(() => {
  server.kill('SIGKILL');
  fs.rmSync(directory, { recursive: true });
});

/** A client that reads on. */
async function goodClient(): Promise<GoodClient> {
  const client = await new PlainNbdClient(path).go({ style: 'structured' });
  return {
    async read(count) {
      const offset = (count * 12_345) % (size - 65536);
      client.send({ command: commands.READ, offset, length: 4096 });
      const chunk = (await client.answer())?.chunks[0];
      assert.ok(chunk?.payload.subarray(8).equals(content.subarray(offset, offset + 4096)), `bytes at ${offset}`);
    },
    [Symbol.dispose]: () => client.stream.destroy(),
  };
}

const endure = (bad: () => Promise<unknown>, limit = maximumGrowth): Promise<void> =>
  endureBeside(server, goodClient, bad, limit);

/** Sends bytes, and waits until the server has had enough. */
async function leftAfter(...pieces: Uint8Array[]): Promise<void> {
  const client = new PlainNbdClient(path);
  for (const piece of pieces) client.stream.write(piece);
  await client.closed;
}

function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)));
}

const hello = Buffer.of(0, 0, 0, 3);

function optionHead(option: number, length: number): Buffer {
  return Buffer.concat([encodeOption(option, new Uint8Array()).subarray(0, 12), lengthOf(length)]);
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

test('garbage, half a header, nothing, and one byte after the other', async () => {
  const slowly = async (): Promise<void> => {
    const client = new PlainNbdClient(path);
    const bytes = Buffer.concat([hello, encodeOption(options.LIST, new Uint8Array())]);
    for (const byte of bytes) {
      if (client.stream.destroyed) return;
      client.stream.write(Buffer.of(byte));
      await sleep(200);
    }
    await client.closed;
  };
  await endure(() =>
    Promise.all([
      times(20, (index) => leftAfter(pattern(10_000, index))),
      times(20, () => leftAfter(hello.subarray(0, 2))),
      times(20, () => leftAfter()),
      times(20, slowly),
      leftAfter(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')),
    ]),
  );
});

test('lengths of 4 GiB, of options and of writes, with and without what they promise', async () => {
  await endure(() =>
    Promise.all([
      times(20, () => leftAfter(hello, optionHead(options.LIST, 0xffffffff))),
      times(20, () => leftAfter(hello, optionHead(options.GO, 2 ** 24))),
      times(4, () => leftAfter(hello, optionHead(options.GO, 2 ** 25 + 1), new Uint8Array(2 ** 20))),
      times(20, async () => {
        const client = await new PlainNbdClient(path).go();
        client.send({ command: commands.WRITE, length: 0xffffffff });
        await client.closed;
      }),
      times(60, async () => {
        const client = await new PlainNbdClient(path).go({ style: 'extended' });
        client.send({ command: commands.WRITE, flags: 32, length: 2 ** 25, payload: new Uint8Array(1000) });
        await client.closed;
      }),
    ]),
  );
});

test('ten thousand options, each answered', async () => {
  await endure(async () => {
    const client = new PlainNbdClient(path);
    await client.greet();
    const sent = Buffer.concat(
      Array.from({ length: 10_000 }, (_, index) => encodeOption(1000 + index, new Uint8Array(3))),
    );
    client.stream.write(sent);
    client.stream.write(encodeOption(options.GO, encodeInfoRequest({ name: '', types: [] })));
    for (let count = 0; count < 10_000; count += 1) {
      const answer = await client.optionAnswer();
      // A busy machine may take longer than the handshake may last.
      if (answer === undefined) return;
      assert.equal(answer.type, optionReplies.ERR_UNSUP);
    }
    assert.equal((await client.optionAnswer())?.type, optionReplies.INFO);
    client.stream.destroy();
  });
});

test('clients that ask for everything and take nothing', async () => {
  const deaf: PlainNbdClient[] = [];
  await endure(
    async () => {
      for (let index = 0; index < 100; index += 1) {
        const client = await new PlainNbdClient(path).go({ style: index % 2 === 0 ? 'simple' : 'structured' });
        client.stream.pause();
        for (let count = 0; count < 300; count += 1)
          client.send({ command: commands.READ, length: 2 ** 20, offset: count });
        deaf.push(client);
      }
      await sleep(500);
      // Each may have one answer of a megabyte waiting even when the rest is used up, and some is not collected yet.
    },
    maximumGrowth + 100 * 2 ** 21,
  );
  for (const { stream } of deaf) stream.destroy();
});

test('conversations in which some bytes are others', async () => {
  const go = encodeOption(options.GO, encodeInfoRequest({ name: '', types: [3] }));
  const requests = [0, 1, 3, 5, 7].map((command) => {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(0x25609513);
    bytes.writeUInt16BE(command, 6);
    bytes.writeUInt32BE(command === 3 ? 0 : 512, 24);
    return command === 1 ? Buffer.concat([bytes, new Uint8Array(512)]) : bytes;
  });
  const whole = Buffer.concat([hello, encodeOption(options.STRUCTURED_REPLY, new Uint8Array()), go, ...requests]);
  const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  });
  await endure(() =>
    fc.assert(
      fc.asyncProperty(flips, fc.nat(whole.length), async (changes, cut) => {
        const bytes = Buffer.from(whole);
        for (const [position, mask] of changes) bytes[position] = (bytes[position] as number) ^ mask;
        const client = new PlainNbdClient(path);
        client.stream.end(bytes.subarray(0, bytes.length - cut));
        await Promise.race([client.closed, sleep(8000, undefined, { ref: false }).then(() => assert.fail('not left'))]);
      }),
      { numRuns: 200 },
    ),
  );
});

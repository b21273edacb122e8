import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { createDisk } from '../../src/image/create-disk.ts';
import { chunkTypes, commandFlags, commands } from '../../src/protocol/nbd/constants.ts';
import { type DiskExports, openDiskExports } from '../../src/server/nbd/disk-exports.ts';
import { listenNbd } from '../../src/server/nbd/nbd-server.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { type Answer, PlainNbdClient } from './nbd-client.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

const size = 2 ** 20 + 512;
/** Those at once, one for each connection, are apart from each other, so that each has one outcome. */
const connectionCount = 4;
const roundCount = 150;

interface Operation {
  readonly command: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
}

/** Operations that do not touch each other, but where all only read. */
function randomRound(random: () => number): Operation[] {
  const round: Operation[] = [];
  const { CACHE, FLUSH, READ, TRIM, WRITE, WRITE_ZEROES } = commands;
  while (round.length < connectionCount) {
    const longest = [512, 5000, 70_000, 300_000][randomBelow(random, 4)] as number;
    const length = 1 + randomBelow(random, longest);
    const command = [READ, READ, WRITE, WRITE, WRITE, WRITE_ZEROES, TRIM, CACHE, FLUSH][
      randomBelow(random, 9)
    ] as number;
    const offset = randomBelow(random, size - length);
    const isFast = command === WRITE_ZEROES && randomBelow(random, 4) === 0;
    const mayBeDurable = command !== READ && command !== CACHE && command !== FLUSH && randomBelow(random, 8) === 0;
    const flags = (isFast ? commandFlags.NO_HOLE : 0) | (mayBeDurable ? commandFlags.FUA : 0);
    const operation = { command, flags, offset, length, fill: randomBelow(random, 2 ** 31) };
    if (!round.some((other) => collide(operation, other))) round.push(operation);
  }
  return round;
}

function collide(one: Operation, other: Operation): boolean {
  const apart = one.offset + one.length <= other.offset || other.offset + other.length <= one.offset;
  return !apart && (changes(one) || changes(other));
}

function changes({ command }: Operation): boolean {
  return [commands.WRITE, commands.WRITE_ZEROES, commands.TRIM].some((each) => each === command);
}

/** What a read put together; holes are zeros. */
function assembled({ length, offset }: Operation, { chunks }: Answer): Buffer {
  const bytes = Buffer.alloc(length, 0xee);
  for (const { payload, type } of chunks) {
    const start = Number(payload.readBigUInt64BE(0)) - offset;
    if (type === chunkTypes.OFFSET_DATA) payload.copy(bytes, start, 8);
    else bytes.fill(0, start, start + payload.readUInt32BE(8));
  }
  return bytes;
}

async function perform(client: PlainNbdClient, operation: Operation, model: Buffer): Promise<void> {
  const { command, fill, flags, length, offset } = operation;
  const end = offset + length;
  if (command === commands.WRITE) client.send({ command, flags, offset, payload: pattern(length, fill) });
  else if (command === commands.FLUSH) client.send({ command });
  else client.send({ command, flags, offset, length });
  const answer = (await client.answer()) as Answer;
  assert.equal(answer.error, 0, JSON.stringify(operation));
  if (command === commands.WRITE) model.set(pattern(length, fill), offset);
  else if (command === commands.WRITE_ZEROES) model.fill(0, offset, end);
  else if (command === commands.READ) {
    assert.ok(assembled(operation, answer).equals(model.subarray(offset, end)), JSON.stringify(operation));
  } else if (command === commands.TRIM) {
    // It reads as zeros or as before: whichever it is, it stays.
    client.send({ command: commands.READ, offset, length });
    const found = assembled(operation, (await client.answer()) as Answer);
    for (let at = 0; at < length; at += 1)
      assert.ok(found[at] === 0 || found[at] === model[offset + at], `byte ${offset + at}`);
    model.set(found, offset);
  }
}

async function runModel(exports: DiskExports, seed: number, clientCount = connectionCount): Promise<void> {
  const path = join(directory, 'nbd.sock');
  await using _server = await listenNbd({ kind: 'unix', path }, { exports });
  const random = seededRandom(seed);
  const connect = () => new PlainNbdClient(path).go({ style: 'structured' });
  const clients = await Promise.all(Array.from({ length: clientCount }, connect));
  const whole = { command: commands.READ, flags: 0, offset: 0, length: size, fill: 0 };
  clients[0]?.send(whole);
  const model = assembled(whole, (await clients[0]?.answer()) as Answer);
  for (let round = 0; round < roundCount; round += 1) {
    const operations = randomRound(random);
    await Promise.all(clients.map((client, index) => perform(client, operations[index]!, model)));
  }
  for (const client of clients) await perform(client, whole, model);
  for (const { stream } of clients) stream.destroy();
}

const noStore = async (): Promise<never> => {
  throw new TypeError('there is no store here');
};

describe('random operations over several connections against an array of bytes', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);

  for (const isolate of [false, true]) {
    test(`raw${isolate ? ', its driver in a process of its own' : ''} (seed ${seed})`, async () => {
      const path = join(directory, 'disk.raw');
      await writeFile(path, pattern(size, seed));
      await using exports = await openDiskExports([path], { store: noStore, isolate });
      await runModel(exports, seed);
    });

    test(`qcow2${isolate ? ', its driver in a process of its own' : ''} (seed ${seed})`, async () => {
      const path = join(directory, 'disk.qcow2');
      await createDisk(path, { format: 'qcow2', size, force: true });
      {
        await using exports = await openDiskExports([path], { store: noStore, isolate });
        await runModel(exports, seed);
      }
      if (!skipWithout('qemu-img')) execFileSync('qemu-img', ['check', '-q', path]);
    });
  }

  test(`a throw-away overlay, which one connection has for itself (seed ${seed})`, async () => {
    const path = join(directory, 'base.raw');
    await writeFile(path, pattern(size, seed));
    await using exports = await openDiskExports([path], { store: noStore, ephemeral: true });
    await runModel(exports, seed, 1);
    assert.deepEqual(await readFile(path), Buffer.from(pattern(size, seed)));
  });
});

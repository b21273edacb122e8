import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { statsFilter } from '../../src/filter/stats.ts';
import { noTag, requests, responses } from '../../src/protocol/iscsi/constants.ts';
import { type IscsiServer, type IscsiServerOptions, listenIscsi } from '../../src/server/iscsi/iscsi-server.ts';
import { type ExportEntry, type NbdExport, sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { codes, PlainInitiator, transferCommand } from './iscsi-initiator.ts';

const target = 'iqn.2026-11.internal.varve:disk';
const nameOf = (index: number): string => `iqn.2026-11.test:${index}`;

function serving(served: NbdExport | ExportEntry, more: Partial<IscsiServerOptions> = {}): Promise<IscsiServer> {
  const entry = 'device' in served ? sharedEntry(served) : served;
  const exports = { list: () => [{ name: 'disk' }], find: () => entry };
  return listenIscsi({ host: '127.0.0.1', port: 0 }, { exports, ...more });
}

test('initiators that take nothing share the memory there is, and others still get on', async () => {
  const device = statsFilter(memoryDevice(2 ** 24));
  await using server = await serving({ device }, { maximumMemory: 2 ** 22 });
  const deaf: PlainInitiator[] = [];
  for (let index = 0; index < 8; index += 1) {
    const initiator = await new PlainInitiator(server.port).enter(target, nameOf(index));
    initiator.stream.pause();
    const read = { flags: 0xc0, expected: 2 ** 23 };
    initiator.send(
      ...Array.from({ length: 32 }, () => initiator.command(transferCommand(codes.READ, 0, 2 ** 14), read)),
    );
    deaf.push(initiator);
  }
  await sleep(300);
  const { totalLength } = device.stats.read;
  // Each may have so much more than there is room for, and what the system's buffers took.
  assert.ok(totalLength <= 2 ** 22 + 8 * 10 * 2 ** 20, `${totalLength} bytes were read`);
  const good = await new PlainInitiator(server.port).enter(target, nameOf(99));
  for (let lba = 0; lba < 10; lba += 1) assert.equal((await good.read(lba, 8))?.length, 4096);
  for (const { stream } of [good, ...deaf]) stream.destroy();
});

test('who does not send what was asked for is left, and who only waits is not', async () => {
  await using server = await serving({ device: memoryDevice(2 ** 24) }, { stallTimeoutMs: 50 });
  const waiting = await new PlainInitiator(server.port).enter(target, nameOf(1));
  const stopped = await new PlainInitiator(server.port).enter(target, nameOf(2));
  const write = { flags: 0xa0, expected: 2 ** 20 };
  stopped.send(stopped.command(transferCommand(codes.WRITE, 0, 2048), write));
  assert.equal((await stopped.next())?.code, responses.READY_TO_TRANSFER);
  const halfway = await new PlainInitiator(server.port).enter(target, nameOf(3));
  halfway.stream.write(Buffer.of(1, 0x80));
  await Promise.all([stopped.closed, halfway.closed]);
  assert.equal((await waiting.read(0, 1))?.length, 512);
  waiting.stream.destroy();
});

test('who waits for a slow disk is not left', async () => {
  const device = delayFilter(memoryDevice(2 ** 20), { delayMs: 300 });
  await using server = await serving({ device }, { stallTimeoutMs: 50 });
  const initiator = await new PlainInitiator(server.port).enter(target, nameOf(1));
  assert.equal((await initiator.read(0, 8))?.length, 4096);
  initiator.stream.destroy();
});

test('what was opened for an initiator that has gone meanwhile is closed', async () => {
  let [opened, closed] = [0, 0];
  const connecting: Promise<unknown>[] = [];
  const entry: ExportEntry = {
    ...sharedEntry({ device: memoryDevice(2 ** 20) }),
    async connect() {
      const slow = sleep(500);
      connecting.push(slow);
      await slow;
      opened += 1;
      const dispose = async (): Promise<void> => {
        closed += 1;
      };
      return { device: memoryDevice(2 ** 20), [Symbol.asyncDispose]: dispose };
    },
  };
  await using server = await serving(entry, { handshakeTimeoutMs: 50 });
  const all = Array.from({ length: 8 }, (_, index) => {
    const initiator = new PlainInitiator(server.port);
    initiator.login(0x87, { InitiatorName: nameOf(index), TargetName: target });
    return initiator.closed;
  });
  await Promise.all(all);
  await Promise.all(connecting);
  await sleep(0);
  assert.equal(opened, connecting.length);
  assert.equal(closed, opened);
});

test('of several logins of one initiator the last one stands', async () => {
  await using server = await serving({ device: memoryDevice(2 ** 20) });
  const all = await Promise.all(
    Array.from({ length: 8 }, () => new PlainInitiator(server.port).enter(target, nameOf(1)).catch(() => undefined)),
  );
  const found = [];
  for (const initiator of all) found.push(await initiator?.read(0, 1));
  assert.equal(found.filter((bytes) => bytes?.length === 512).length, 1);
  for (const initiator of all) initiator?.stream.destroy();
});

test('orders to give up commands of a disk that hangs are not kept without end', async () => {
  const device = delayFilter(memoryDevice(2 ** 20), { delayMs: 500 });
  await using server = await serving({ device });
  const initiator = await new PlainInitiator(server.port).enter(target, nameOf(1));
  const manage = { code: requests.TASK_MANAGEMENT | 0x40, flags: 0x82, tag: 7, second: noTag };
  initiator.send(
    initiator.command(transferCommand(codes.READ, 0, 8), { flags: 0xc0, expected: 4096 }),
    ...Array.from({ length: 1000 }, () => manage),
  );
  const counts = new Map<number, number>();
  for (let count = 0; count < 1000; count += 1) {
    const pdu = await initiator.next();
    assert.equal(pdu?.code, responses.TASK_MANAGEMENT);
    const response = pdu!.header[2]!;
    counts.set(response, (counts.get(response) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counts), { 0: 32, 255: 968 });
  initiator.stream.destroy();
});

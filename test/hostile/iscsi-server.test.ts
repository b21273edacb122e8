import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { projectDirectory } from '../../scripts/project.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { noTag, requests, responses } from '../../src/protocol/iscsi/constants.ts';
import { encodeText } from '../../src/protocol/iscsi/text.ts';
import { endure as endureBeside, type GoodClient } from './endure.ts';
import { codes, dataRest, encodePdu, PlainInitiator, type SentPdu, transferCommand } from './iscsi-initiator.ts';

/** What the good initiator reads: the first half; bad ones write to the other. */
const readLength = 2 ** 22;
const size = 2 * readLength;
const content = pattern(size, 3);
const target = 'iqn.2026-11.internal.varve:disk.raw';
/** What initiators may make the server take, and what it takes by itself to serve them: buffers of the kernel's and Node's. */
const maximumGrowth = 250 * 2 ** 20;

let directory: string;
let server: ChildProcess;
let port: number;

before(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  fs.writeFileSync(join(directory, 'disk.raw'), content);
  const bounds = [
    '--handshake-timeout',
    '1s',
    '--stall-timeout',
    '500ms',
    '--max-memory',
    '32M',
    '--max-clients',
    '64',
  ];
  const args = ['serve', './disk.raw', '--protocol', 'iscsi', '--listen', '0', ...bounds];
  server = spawn(join(projectDirectory, 'varve'), args, { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(server.stdout!, 'data');
  port = Number(/:(\d+)\//.exec(String(line))?.[1]);
});

after(() => {
  server.kill('SIGKILL');
  fs.rmSync(directory, { recursive: true });
});

let names = 0;

/** An initiator that is logged in, with a name that no other has. */
function enter(more: Record<string, string> = {}): Promise<PlainInitiator> {
  names += 1;
  return new PlainInitiator(port).enter(target, `iqn.2026-11.test:${names}`, more);
}

/** One of which the next answers come in their order, as the server has seen that the disk answers at once. */
async function enterAndRead(): Promise<PlainInitiator> {
  const initiator = await enter();
  await initiator.read(0, 1);
  return initiator;
}

/** An initiator that reads on. */
async function goodInitiator(): Promise<GoodClient> {
  const initiator = await enter();
  return {
    async read(count) {
      const lba = (count * 123) % (readLength / 512 - 8);
      const bytes = await initiator.read(lba, 8);
      assert.ok(bytes?.equals(content.subarray(lba * 512, lba * 512 + 4096)), `bytes at ${lba}`);
    },
    [Symbol.dispose]: () => initiator.stream.destroy(),
  };
}

const endure = (bad: () => Promise<unknown>, limit = maximumGrowth): Promise<void> =>
  endureBeside(server, goodInitiator, bad, limit);

function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)));
}

/** Sends PDUs, and waits until the server has had enough. */
async function leftAfter(initiator: PlainInitiator, ...pdus: readonly SentPdu[]): Promise<void> {
  initiator.send(...pdus);
  await initiator.closed;
}

/** Sends PDUs, and waits until a NOP behind them is answered; gives what came before, or until the end. */
async function answersTo(initiator: PlainInitiator, ...pdus: readonly SentPdu[]): Promise<number[]> {
  initiator.send(...pdus, { code: requests.NOP_OUT | 0x40, flags: 0x80, tag: 0x7777_7777, second: noTag });
  const found: number[] = [];
  for (;;) {
    const pdu = await initiator.next();
    if (pdu === undefined || (pdu.code === responses.NOP_IN && pdu.header.readUInt32BE(16) === 0x7777_7777))
      return found;
    found.push(pdu.code);
  }
}

const tooLong = 2 ** 24 - 1;

describe('before the login', () => {
  test('garbage, half a header, nothing, and one byte after the other', async () => {
    const slowly = async (): Promise<void> => {
      const initiator = new PlainInitiator(port);
      const bytes = encodePdu({ code: 0x43, flags: 0x87, data: encodeText([['InitiatorName', 'iqn.x:y']]) });
      for (const byte of bytes) {
        if (initiator.stream.destroyed) return;
        initiator.stream.write(Buffer.of(byte));
        await sleep(100);
      }
      await initiator.closed;
    };
    const leftAfterBytes = async (bytes: Uint8Array): Promise<void> => {
      const initiator = new PlainInitiator(port);
      initiator.stream.write(bytes);
      await initiator.closed;
    };
    await endure(() =>
      Promise.all([
        times(10, (index) => leftAfterBytes(pattern(10_000, index))),
        times(10, () => leftAfterBytes(Buffer.of(0x43, 0x87))),
        times(10, () => leftAfterBytes(Buffer.of())),
        times(10, slowly),
        leftAfterBytes(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')),
      ]),
    );
  });

  test('lengths that lie, and commands without a login', async () => {
    await endure(() =>
      Promise.all([
        times(10, () => leftAfter(new PlainInitiator(port), { code: 0x43, flags: 0x87, claimedLength: tooLong })),
        times(10, () => leftAfter(new PlainInitiator(port), { code: 0x43, furtherWords: 255, claimedLength: 8192 })),
        times(10, () => leftAfter(new PlainInitiator(port), { code: requests.SCSI_COMMAND, flags: 0xc0, second: 512 })),
        times(10, () => leftAfter(new PlainInitiator(port), { code: 0x43, flags: 0x87, data: pattern(8000, 1) })),
      ]),
    );
  });

  test('logins that go on and on, half-way through, and with keys without end', async () => {
    const step = { code: 0x43, flags: 0x40, data: encodeText([['X-a', 'b'.repeat(7000)]]) };
    const empty = { code: 0x43, flags: 0x40 };
    const keys = Array.from({ length: 400 }, (_, index) => [`X-${index}`, 'y'] as const);
    await endure(() =>
      Promise.all([
        times(8, () => leftAfter(new PlainInitiator(port), ...Array.from({ length: 1000 }, () => step))),
        times(8, () => leftAfter(new PlainInitiator(port), ...Array.from({ length: 10_000 }, () => empty))),
        times(8, () => leftAfter(new PlainInitiator(port), { code: 0x43, flags: 0x87, data: encodeText(keys) })),
        times(8, () => leftAfter(new PlainInitiator(port), { code: 0x43, flags: 0x04, data: encodeText([]) })),
        times(8, async () => {
          const initiator = new PlainInitiator(port);
          initiator.login(0x04, { InitiatorName: 'iqn.x:half', TargetName: target });
          // Half-way: it never comes to the end.
          await initiator.closed;
        }),
      ]),
    );
  });

  test('ten thousand connections, and more than may be there', async () => {
    await endure(async () => {
      for (let done = 0; done < 10_000; done += 50) {
        await times(50, async (index) => {
          const socket = net.connect(port, '127.0.0.1');
          socket.on('error', () => undefined);
          await once(socket, index % 3 === 0 ? 'ready' : 'connect').catch(() => undefined);
          if (index % 5 === 0) socket.resetAndDestroy();
          else socket.destroy();
        });
      }
    });
    const idle = await times(100, async () => net.connect(port, '127.0.0.1').on('error', () => undefined));
    await sleep(100);
    const late = await enter();
    assert.equal((await late.read(0, 1))?.length, 512);
    late.stream.destroy();
    for (const socket of idle) socket.destroy();
  });
});

describe('after the login', () => {
  test('lengths that lie', async () => {
    await endure(() =>
      Promise.all([
        times(8, async () => leftAfter(await enter(), { code: requests.NOP_OUT, claimedLength: tooLong })),
        times(8, async () => leftAfter(await enter(), { code: requests.SCSI_COMMAND, claimedLength: 2 ** 18 + 1 })),
        times(8, async () =>
          // It is told that more is to come, and that never does.
          leftAfter(await enter(), { code: requests.NOP_OUT | 0x40, claimedLength: 2 ** 18, furtherWords: 255 }),
        ),
        times(4, async () => {
          const initiator = await enterAndRead();
          const read = initiator.command(transferCommand(codes.READ, 0, 8), { flags: 0xc0, expected: 2 ** 32 - 1 });
          const found = await answersTo(initiator, { ...read, furtherWords: 255 });
          assert.deepEqual(found, [responses.DATA_IN]);
          initiator.stream.destroy();
        }),
      ]),
    );
  });

  test('places past the end, other disks, and lengths that differ', async () => {
    await endure(async () => {
      const initiator = await enterAndRead();
      const past = initiator.command(transferCommand(codes.READ, size / 512, 1), { flags: 0xc0, expected: 512 });
      const far = initiator.command(transferCommand(codes.WRITE, 0xffff_ffff, 0xffff), { flags: 0xa0, expected: 512 });
      const other = { ...initiator.command(transferCommand(codes.READ, 0, 1), { flags: 0xc0, expected: 512 }), lun: 7 };
      const short = initiator.command(transferCommand(codes.READ, 0, 64), { flags: 0xc0, expected: 100 });
      const found = await answersTo(initiator, past, far, other, short);
      const { DATA_IN, SCSI_RESPONSE } = responses;
      assert.deepEqual(found, [SCSI_RESPONSE, SCSI_RESPONSE, SCSI_RESPONSE, DATA_IN]);
      initiator.stream.destroy();
    });
  });

  test('numbers of commands far off, and tags that are taken', async () => {
    await endure(async () => {
      const initiator = await enter();
      const far = Array.from({ length: 1000 }, (_, index) => ({
        ...{ code: requests.SCSI_COMMAND, flags: 0xc0, tag: index, second: 512 },
        ...{ commandSn: (initiator.commandSn + 5 + index * 7919) >>> 0, rest: transferCommand(codes.READ, 0, 1) },
      }));
      assert.deepEqual(await answersTo(initiator, ...far), []);
      // The first waits for its data; the others are not let in.
      const write = { flags: 0xa0, expected: 2 ** 20 };
      const first = initiator.command(transferCommand(codes.WRITE, readLength / 512, 2048), write);
      const same = Array.from({ length: 100 }, () => ({
        ...initiator.command(transferCommand(codes.WRITE, readLength / 512, 2048), write),
        tag: first.tag!,
      }));
      const found = await answersTo(initiator, first, ...same);
      assert.equal(found[0], responses.READY_TO_TRANSFER);
      assert.ok(found.slice(1).every((code) => code === responses.READY_TO_TRANSFER || code === responses.REJECT));
      assert.equal(found.filter((code) => code === responses.REJECT).length, 100);
      initiator.stream.destroy();
    });
  });

  test('data that nobody asked for, too much of it, and in another place', async () => {
    const asked = async (initiator: PlainInitiator): Promise<{ tag: number; transferTag: number }> => {
      const command = transferCommand(codes.WRITE, readLength / 512, 2048);
      const write = initiator.command(command, { flags: 0xa0, expected: 2 ** 20 });
      initiator.send(write);
      const request = await initiator.next();
      assert.equal(request?.code, responses.READY_TO_TRANSFER);
      return { tag: write.tag!, transferTag: request!.header.readUInt32BE(20) };
    };
    const dataOut = (tag: number, second: number, number: number, offset: number): SentPdu => ({
      ...{ code: requests.DATA_OUT, tag, second, rest: dataRest(number, offset), data: new Uint8Array(2 ** 16) },
    });
    await endure(() =>
      times(8, async () => {
        const initiator = await enter();
        const unknown = Array.from({ length: 100 }, (_, index) => dataOut(index + 1000, index, index, index * 4096));
        assert.deepEqual(await answersTo(initiator, ...unknown), []);
        for (const wrong of [
          (tag: number, transferTag: number) => dataOut(tag, transferTag, 0, 2 ** 20),
          (tag: number, transferTag: number) => dataOut(tag, transferTag, 7, 0),
          (tag: number, transferTag: number) => dataOut(tag, transferTag + 1, 0, 0),
          (tag: number, transferTag: number) => dataOut(tag, transferTag, 0, 0xffff_0000),
          (tag: number) => dataOut(tag, noTag, 0, 0),
        ]) {
          const { tag, transferTag } = await asked(initiator);
          const pdu = wrong(tag, transferTag);
          // Ended once; what comes then belongs to nobody.
          assert.deepEqual(await answersTo(initiator, pdu, pdu, pdu), [responses.SCSI_RESPONSE]);
        }
        initiator.stream.destroy();
      }),
    );
  });

  test('writes of which the data does not come, by all at once', async () => {
    await endure(() =>
      times(40, async () => {
        const initiator = await enter();
        const write = { flags: 0xa0, expected: 2 ** 23 };
        const all = Array.from({ length: 100 }, () =>
          initiator.command(transferCommand(codes.WRITE, readLength / 512, 2 ** 13), write),
        );
        initiator.send(...all);
        await initiator.closed;
      }),
    );
  });

  test('texts, NOPs and orders without end', async () => {
    const nop = { code: requests.NOP_OUT | 0x40, flags: 0x80, tag: 1, second: noTag };
    const goesOn = { code: requests.TEXT | 0x40, flags: 0x40, tag: 1, second: noTag };
    const loop = {
      ...goesOn,
      flags: 0x80,
      data: encodeText([
        ['MaxRecvDataSegmentLength', '512'],
        ['SendTargets', ''],
      ]),
    };
    const manage = { code: requests.TASK_MANAGEMENT | 0x40, tag: 1 };
    const many = (pdu: SentPdu, count: number): SentPdu[] => Array.from({ length: count }, () => pdu);
    const floods = [
      many(nop, 20_000),
      many({ ...nop, data: new Uint8Array(2 ** 17) }, 100),
      many(goesOn, 20_000),
      many({ ...goesOn, data: Buffer.of(0) }, 20_000),
      many(loop, 5000),
      Array.from({ length: 20_000 }, (_, index) => ({ ...manage, flags: 0x80 | (index % 16), second: index })),
      many({ code: requests.SNACK, flags: 0x80 }, 20_000),
      many({ code: 0x1c | 0x40 }, 20_000),
      many({ code: requests.LOGIN | 0x40, flags: 0x87 }, 20_000),
    ];
    await endure(() =>
      Promise.all(
        floods.map(async (pdus) => {
          const initiator = await enter();
          await answersTo(initiator, ...pdus);
          initiator.stream.destroy();
        }),
      ),
    );
  });

  test('short commands for much of the disk, all at once', async () => {
    // VERIFY without data, of all of the disk.
    const verify = Buffer.alloc(16);
    verify[0] = 0x8f;
    verify.writeUInt32BE(size / 512, 10);
    // VERIFY that compares each block with one.
    const compare = Buffer.from(verify);
    compare[1] = 0x06;
    // WRITE SAME of what is not read by others.
    const same = Buffer.alloc(16);
    same[0] = 0x93;
    same.writeUInt32BE(readLength / 512, 6);
    same.writeUInt32BE(readLength / 512, 10);
    const block = new Uint8Array(512).fill(7);
    await endure(() =>
      times(12, async () => {
        const initiator = await enter();
        const all = Array.from({ length: 120 }, (_, index) => {
          if (index % 3 === 0) return initiator.command(verify, { flags: 0x80, expected: 0 });
          return initiator.command(index % 3 === 1 ? compare : same, { flags: 0xa0, expected: 512, data: block });
        });
        initiator.send(...all);
        for (const _ of all) assert.equal((await initiator.next())?.code, responses.SCSI_RESPONSE);
        initiator.stream.destroy();
      }),
    );
  });

  test('digests that lie', async () => {
    await endure(() =>
      times(10, async () => {
        const initiator = await enter({ HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' });
        initiator.stream.write(Buffer.concat([encodePdu({ code: requests.NOP_OUT | 0x40, tag: 1 }), Buffer.alloc(4)]));
        await initiator.closed;
      }),
    );
  });

  test('initiators that ask for everything and take nothing', async () => {
    await endure(
      () =>
        times(40, async () => {
          const initiator = await enter();
          initiator.stream.pause();
          const all = Array.from({ length: 100 }, () =>
            initiator.command(transferCommand(codes.READ, 0, 2 ** 13), { flags: 0xc0, expected: 2 ** 22 }),
          );
          initiator.send(...all);
          // The server leaves it in the end; of that it hears nothing before it takes what is there.
          await sleep(3000);
          initiator.stream.resume();
          await initiator.closed;
        }),
      // Each may have two answers waiting even when all else is used up, and some is not collected yet.
      maximumGrowth + 40 * 2 ** 22,
    );
  });

  test('conversations in which some bytes are others', async () => {
    const hello = { InitiatorName: 'iqn.2026-11.test:flips', TargetName: target };
    const write = { code: requests.SCSI_COMMAND, flags: 0xa0, tag: 2, second: 1024, commandSn: 2 };
    const whole = Buffer.concat(
      [
        { code: 0x43, flags: 0x87, commandSn: 1, data: encodeText(Object.entries(hello)) },
        { code: 1, flags: 0xc0, tag: 1, second: 512, commandSn: 1, rest: transferCommand(codes.READ, 0, 1) },
        { ...write, rest: transferCommand(codes.WRITE, readLength / 512, 2), data: new Uint8Array(512) },
        { code: requests.DATA_OUT, flags: 0x80, tag: 2, rest: dataRest(0, 512), data: new Uint8Array(512) },
        {
          code: requests.TEXT,
          flags: 0x80,
          tag: 3,
          second: noTag,
          commandSn: 3,
          data: encodeText([['SendTargets', '']]),
        },
        { code: requests.TASK_MANAGEMENT, flags: 0x81, tag: 4, second: 2, commandSn: 4 },
        { code: requests.LOGOUT, flags: 0x80, tag: 5, commandSn: 5 },
      ].map(encodePdu),
    );
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await endure(() =>
      fc.assert(
        fc.asyncProperty(flips, fc.nat(whole.length), async (changes, cut) => {
          const bytes = Buffer.from(whole);
          for (const [position, mask] of changes) bytes[position] = bytes[position]! ^ mask;
          const initiator = new PlainInitiator(port);
          initiator.stream.resume();
          initiator.stream.end(bytes.subarray(0, bytes.length - cut));
          const limit = sleep(8000, undefined, { ref: false }).then(() => assert.fail('not left'));
          await Promise.race([initiator.closed, limit]);
        }),
        { numRuns: 300 },
      ),
    );
  });
});

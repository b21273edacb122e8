import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { newGuid } from '../../bytes/guid.ts';
import { contentOf, extentsOf, pattern } from '../../conformance/device-content.ts';
import { activeSequence } from './active-sequence.ts';
import type { VhdxHeader } from './file-header.ts';
import { encodeLogEntry, type LoggedWrite, type NewLogEntry } from './log-entry.ts';
import { replayLog } from './replay-log.ts';

const mebibyte = 2 ** 20;
const logGuid = newGuid();
const fileSize = 4 * mebibyte;
const header: VhdxHeader = {
  ...{ sequenceNumber: 1n, fileWriteGuid: newGuid(), dataWriteGuid: newGuid() },
  ...{ logGuid, logLength: mebibyte, logOffset: mebibyte },
};

const data = (offset: number, seed: number): LoggedWrite => ({ offset, length: 4096, bytes: pattern(4096, seed) });

function entry(sequenceNumber: bigint, tail: number, ...writes: LoggedWrite[]): NewLogEntry {
  return { sequenceNumber, tail, flushedFileOffset: fileSize, lastFileOffset: fileSize, writes };
}

/** A log of 1 MiB with entries one behind the other from byte `start` on, around its end. */
function logOf(start: number, ...entries: NewLogEntry[]): Uint8Array {
  const log = new Uint8Array(mebibyte);
  let place = start;
  for (const each of entries) {
    for (const byte of encodeLogEntry(each, logGuid)) {
      log[place % mebibyte] = byte;
      place += 1;
    }
  }
  return log;
}

const numbers = (log: Uint8Array): bigint[] | undefined =>
  activeSequence(log, logGuid)?.map(({ sequenceNumber }) => sequenceNumber);

describe('the active sequence of a log', () => {
  test('is what follows one another, from the Tail on', () => {
    assert.equal(numbers(new Uint8Array(mebibyte)), undefined);
    assert.deepEqual(numbers(logOf(0, entry(5n, 0, data(0, 1)))), [5n]);
    // An entry with one sector of data takes 8 KiB.
    const three = [entry(5n, 0, data(0, 1)), entry(6n, 0, data(0, 2)), entry(7n, 8192, data(0, 3))];
    assert.deepEqual(numbers(logOf(0, ...three)), [6n, 7n]);
    assert.deepEqual(numbers(logOf(0, ...three.slice(0, 2))), [5n, 6n]);
  });

  test('goes on at the start of the ring', () => {
    const start = mebibyte - 4096;
    assert.deepEqual(numbers(logOf(start, entry(8n, start, data(0, 1)), entry(9n, start, data(0, 2)))), [8n, 9n]);
  });

  test('is the one with the largest number of several', () => {
    const log = logOf(0, entry(20n, 0, data(0, 1)));
    log.set(encodeLogEntry(entry(30n, 65536, data(0, 1)), logGuid), 65536);
    assert.deepEqual(numbers(log), [30n]);
  });

  test('ends before an entry that was cut off at any byte', () => {
    const whole = logOf(0, entry(5n, 0, data(0, 1)), entry(6n, 0, data(4096, 2)));
    assert.deepEqual(numbers(whole), [5n, 6n]);
    for (let cut = 8192; cut < 16384; cut += 512) {
      const torn = whole.slice();
      torn.fill(0, cut, 16384);
      assert.deepEqual(numbers(torn), [5n], `cut at ${cut}`);
    }
    for (const place of [8192, 8200, 8204, 8208, 8220, 8230, 8260, 8270, 12288, 12292, 14000, 16380]) {
      const damaged = whole.slice();
      damaged[place]! ^= 1;
      assert.deepEqual(numbers(damaged), [5n], `byte ${place}`);
    }
  });

  test('is none of another log, and none whose Tail is elsewhere', () => {
    assert.equal(activeSequence(logOf(0, entry(5n, 0, data(0, 1))), newGuid()), undefined);
    assert.equal(numbers(logOf(0, entry(5n, 8192, data(0, 1)))), undefined);
  });

  test('of a full log that points nowhere is found to be none', () => {
    const entries = Array.from({ length: 256 }, (_, index) => entry(BigInt(index + 1), 4096 * 255));
    const log = logOf(0, ...entries);
    assert.equal(numbers(log)?.length, 1);
    assert.equal(numbers(logOf(0, ...entries.slice(0, 255))), undefined);
  });
});

describe('a log that is replayed in memory', () => {
  const fileWith = (log: Uint8Array, size = fileSize) => {
    const file = memoryDevice(size);
    file.write(new Uint8Array(2 * mebibyte).fill(1), 2 * mebibyte);
    file.write(log, mebibyte);
    return file;
  };

  test('gives the file as the last of its writes leave it', async () => {
    const start = 2 * mebibyte;
    const log = logOf(
      0,
      entry(1n, 0, data(start, 1), data(start + 8192, 2), { offset: start + 65536, length: 16384 }),
      entry(2n, 0, { offset: start, length: 4096 }, data(start + 8192, 3), data(start + 69632, 4)),
    );
    const file = fileWith(log);
    const replayed = await replayLog(file, header, 'x');
    const expected = await contentOf(file);
    expected.fill(0, start, start + 4096);
    expected.set(pattern(4096, 3), start + 8192);
    expected.fill(0, start + 65536, start + 65536 + 16384);
    expected.set(pattern(4096, 4), start + 69632);
    assert.equal(Buffer.compare(await contentOf(replayed!), expected), 0);
    for (const [offset, length] of [
      [start - 7, 5000],
      [start + 8191, 2],
      [start + 65530, 9000],
      [start + 70000, 12000],
    ] as const) {
      const part = await contentOf(replayed!, offset, length);
      assert.equal(Buffer.compare(part, expected.subarray(offset, offset + length)), 0, `at ${offset}`);
    }
    assert.equal(
      (await extentsOf(replayed!)).reduce((sum, { length }) => sum + length, 0),
      fileSize,
    );
  });

  test('makes the file as long as it says, with zeros', async () => {
    const longer = { ...entry(1n, 0, data(fileSize + mebibyte, 1)), lastFileOffset: fileSize + 2 * mebibyte };
    const replayed = await replayLog(fileWith(logOf(0, longer)), header, 'x');
    assert.equal(replayed?.size, fileSize + 2 * mebibyte);
    const content = await contentOf(replayed!, fileSize - 1, mebibyte + 4098);
    assert.equal(content[0], 1);
    assert.deepEqual(content.subarray(1, mebibyte + 1), new Uint8Array(mebibyte));
    assert.deepEqual(content.subarray(mebibyte + 1, mebibyte + 4097), pattern(4096, 1));
  });

  test('is CORRUPT where the file was cut off since, or the log is not in it', async () => {
    const log = logOf(0, { ...entry(1n, 0, data(0, 1)), flushedFileOffset: fileSize + 1 });
    await assert.rejects(replayLog(fileWith(log), header, 'x'), { code: 'CORRUPT', message: /FlushedFileOffset/ });
    const outside = { ...header, logOffset: 8 * mebibyte };
    await assert.rejects(replayLog(fileWith(log), outside, 'x'), { code: 'CORRUPT', message: /log/ });
    const huge = { ...header, logLength: 2 ** 31 };
    await assert.rejects(replayLog(fileWith(log), huge, 'x'), { code: 'UNSUPPORTED', message: /LogLength/ });
  });

  test('without a whole entry changes nothing', async () => {
    const file = fileWith(new Uint8Array(mebibyte));
    const replayed = await replayLog(file, header, 'x');
    assert.equal(Buffer.compare(await contentOf(replayed!), await contentOf(file)), 0);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import type { PartitionTable } from '../../src/partition/partition-table.ts';
import { readPartitionTable } from '../../src/partition/read-partition-table.ts';
import { expectedOfBlkid, sampleNames, skipSamples, unpackedSample } from './blkid-sample.ts';

async function tableOf(kind: 'fs' | 'pt', name: string, length?: number): Promise<PartitionTable | undefined> {
  return await readPartitionTable(memoryDevice(await unpackedSample(kind, name, length)), { name });
}

describe("util-linux's samples for blkid", { skip: skipSamples }, () => {
  /** A line of what blkid finds: `#1:  34  2014  0x0 name='x' uuid='…' type='…'`, or of an MBR `#2: 7 8 0xa5 uuid='…'`. */
  const rowPattern = /^#(\d+): +(\d+) +(\d+) +(0x[0-9a-f]+)(?: +name='(.*?)')?(?: +uuid='(.*?)')?(?: +type='(.*?)')?/;

  for (const [name, scheme] of [
    ['gpt', 'gpt'],
    ['dos+bsd', 'mbr'],
  ] as const) {
    test(`the table in ${name} is read as blkid reads it`, async () => {
      const table = await tableOf('pt', name);
      const expected = await expectedOfBlkid(`lowprobe-pt-${name}`);
      assert.deepEqual([table?.scheme, table?.id, table?.problems], [scheme, /, id=(\S+)/.exec(expected)?.[1], []]);
      // What is inside of a partition of BSD's is not a part of this table.
      const lines = expected.split('\n').filter((line) => line.startsWith('#') && !line.includes('(freebsd)'));
      const rows = lines.map((line) => rowPattern.exec(line)?.slice(1) ?? []);
      const found = table?.partitions.map(({ id, length, name: own, number, offset, type }) => {
        const [flags, guid] = scheme === 'gpt' ? ['0x0', type] : [type, undefined];
        return [`${number}`, `${offset / 512}`, `${length / 512}`, flags, own, id, guid];
      });
      assert.deepEqual(found, rows);
    });
  }

  test('no file system, and no table of another kind, is taken for a partition table', async () => {
    const taken: string[] = [];
    let count = 0;
    for (const kind of ['fs', 'pt'] as const) {
      for (const name of (await sampleNames(kind)).filter((each) => each !== 'gpt' && each !== 'dos+bsd')) {
        count += 1;
        // A table would begin at the start.
        if ((await tableOf(kind, name, 2 ** 16)) !== undefined) taken.push(name);
      }
    }
    assert.ok(count > 100, `${count}`);
    assert.deepEqual(taken, []);
  });
});

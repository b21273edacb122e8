import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { memoryDevice } from '../../src/block/memory-device.ts';
import type { PartitionTable } from '../../src/partition/partition-table.ts';
import { readPartitionTable } from '../../src/partition/read-partition-table.ts';
import { skipWithout } from './require-tool.ts';
import { sourcePackage } from './source-package.ts';

const run = promisify(execFile);
const tools = skipWithout('xz', 'apt-get');
const source = tools
  ? { reason: tools }
  : await sourcePackage({
      name: 'util-linux',
      title: 'util-linux',
      parts: ['*/tests/ts/blkid', '*/tests/expected/blkid'],
    });
const skip = 'reason' in source ? source.reason : false;
const tests = 'reason' in source ? '' : join(source.directory, 'tests');

/** Of a file system its start is enough: a table would begin there. */
async function tableOf(path: string, length = 2 ** 26): Promise<PartitionTable | undefined> {
  const args = ['-c', `xz -dc "$0" | head -c ${length}`, path];
  const { stdout } = await run('sh', args, { encoding: 'buffer', maxBuffer: 2 ** 27 });
  return await readPartitionTable(memoryDevice(stdout), { name: basename(path) });
}

describe("util-linux's samples for blkid", { skip }, () => {
  /** A line of what blkid finds: `#1:  34  2014  0x0 name='x' uuid='…' type='…'`, or of an MBR `#2: 7 8 0xa5 uuid='…'`. */
  const rowPattern = /^#(\d+): +(\d+) +(\d+) +(0x[0-9a-f]+)(?: +name='(.*?)')?(?: +uuid='(.*?)')?(?: +type='(.*?)')?/;

  for (const [name, scheme] of [
    ['gpt', 'gpt'],
    ['dos+bsd', 'mbr'],
  ] as const) {
    test(`the table in ${name} is read as blkid reads it`, async () => {
      const table = await tableOf(join(tests, 'ts/blkid/images-pt', `${name}.img.xz`));
      const expected = await readFile(join(tests, 'expected/blkid', `lowprobe-pt-${name}`), 'utf8');
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
    for (const kind of ['images-fs', 'images-pt']) {
      const directory = join(tests, 'ts/blkid', kind);
      const names = (await readdir(directory)).filter((each) => each.endsWith('.xz'));
      for (const name of names.filter((each) => !/^(gpt|dos\+bsd)\./.test(each))) {
        count += 1;
        if ((await tableOf(join(directory, name), 2 ** 16)) !== undefined) taken.push(name);
      }
    }
    assert.ok(count > 100, `${count}`);
    assert.deepEqual(taken, []);
  });
});

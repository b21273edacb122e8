import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { openFileDevice } from '../../src/block/file-device.ts';
import type { PartitionTable } from '../../src/partition/partition-table.ts';
import { readPartitionTable } from '../../src/partition/read-partition-table.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const path = join(directory, 'disk.raw');

async function newDisk(size: number): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(size);
}

async function readTable(sectorSize?: 512 | 4096): Promise<PartitionTable> {
  await using device = await openFileDevice(path, { readOnly: true });
  const table = await readPartitionTable(device, { name: path, sectorSize });
  assert.ok(table !== undefined, 'no table was found');
  return table;
}

/** Makes a table by sfdisk's script. */
async function sfdisk(script: string): Promise<void> {
  const child = spawn('sfdisk', ['--quiet', '--no-reread', path], { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(script);
  const [[status], said] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  assert.equal(status, 0, `${said} ${script}`);
}

interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly partitions?: {
    node: string;
    start: number;
    size: number;
    type: string;
    uuid?: string;
    name?: string;
    attrs?: string;
    bootable?: boolean;
  }[];
}

/** The rows that sfdisk has of the disk, in our words. */
async function sfdiskRows(): Promise<unknown[]> {
  const { stdout } = await run('sfdisk', ['--json', path]);
  const { id, label, partitions = [] } = (JSON.parse(stdout) as { partitiontable: SfdiskTable }).partitiontable;
  const rows = partitions.map(({ attrs, bootable, name, node, size, start, type, uuid }) => {
    const gpt =
      label === 'gpt'
        ? { id: uuid?.toLowerCase(), name, attributes: attributesOf(attrs) }
        : { attributes: bootable ? ['bootable'] : [] };
    const number = Number(node.slice(path.length).replace(/^p/, ''));
    const type_ = label === 'gpt' ? type.toLowerCase() : `0x${type.padStart(2, '0')}`;
    return { number, offset: start * 512, length: size * 512, type: type_, ...gpt };
  });
  return [label === 'dos' ? 'mbr' : label, id.replace(/^0x/, '').toLowerCase(), ...rows];
}

/** `LegacyBIOSBootable GUID:48,63`, one by one. */
function attributesOf(text_ = ''): string[] {
  const words = text_.split(' ').filter((word) => word !== '');
  return words.flatMap((word) => {
    const bits = /^GUID:(.*)$/.exec(word)?.[1];
    return bits === undefined ? [word] : bits.split(',').map((bit) => `GUID:${bit}`);
  });
}

function ourRows({ id, partitions, scheme }: PartitionTable): unknown[] {
  const rows = partitions.map(({ attributes, id: own, length, name, number, offset, type }) => {
    const gpt = scheme === 'gpt' ? { id: own, name } : {};
    return { number, offset, length, type, ...gpt, attributes };
  });
  return [scheme, id, ...rows];
}

describe('sfdisk', { skip: skipWithout('sfdisk') }, () => {
  const attributes = ['RequiredPartition', 'NoBlockIOProtocol', 'LegacyBIOSBootable', 'GUID:48', 'GUID:63'];
  const gptPartition = fc.record({
    size: fc.integer({ min: 1, max: 400 }),
    type: fc.constantFrom('L', 'U', 'S', 'R', 'V', 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE'),
    name: fc.constantFrom('', 'root', 'Größe ⚡', 'x'.repeat(36)),
    attrs: fc.subarray(attributes),
    number: fc.integer({ min: 1, max: 128 }),
  });
  const layouts = fc.uniqueArray(gptPartition, { maxLength: 9, selector: ({ number }) => number });

  test('random layouts of a GPT are read as it reads them', async () => {
    const property = fc.asyncProperty(layouts, async (partitions) => {
      await newDisk(6000 * 512);
      const lines = partitions.map(({ attrs, name, number, size, type }) =>
        [`${number} : size=${size}`, `type=${type}`, `name="${name}"`, `attrs="${attrs.join(' ')}"`].join(', '),
      );
      await sfdisk(['label: gpt', 'first-lba: 2048', 'grain: 4096', ...lines].join('\n'));
      const table = await readTable();
      assert.deepEqual(ourRows(table), await sfdiskRows());
      assert.deepEqual([table.sectorSize, table.problems], [512, []]);
    });
    await fc.assert(property, { numRuns: 8 });
  });

  test('random layouts of an MBR, with logical partitions, are read as it reads them', async () => {
    const layout = fc.record({
      primary: fc.array(
        fc.record({
          size: fc.integer({ min: 1, max: 900 }),
          type: fc.constantFrom('83', '82', 'c', '7'),
          bootable: fc.boolean(),
        }),
        { maxLength: 3 },
      ),
      logical: fc.array(fc.record({ size: fc.integer({ min: 1, max: 900 }), type: fc.constantFrom('83', '8e') }), {
        maxLength: 12,
      }),
      isLogical: fc.boolean(),
    });
    const property = fc.asyncProperty(layout, async ({ isLogical, logical, primary }) => {
      await newDisk(64 * 2 ** 20);
      const lines = primary.map(
        ({ bootable, size, type }) => `size=${size}, type=${type}${bootable ? ', bootable' : ''}`,
      );
      const more = isLogical ? ['type=f', ...logical.map(({ size, type }) => `size=${size}, type=${type}`)] : [];
      await sfdisk(['label: dos', 'label-id: 0xcafe0123', ...lines, ...more].join('\n'));
      const table = await readTable();
      assert.deepEqual(ourRows(table), await sfdiskRows());
      assert.deepEqual(table.problems, []);
    });
    await fc.assert(property, { numRuns: 8 });
  });
});

describe('fdisk', { skip: skipWithout('fdisk') }, () => {
  for (const label of ['gpt', 'mbr'] as const) {
    test(`sectors of 4096 bytes in a table of the kind ${label}`, async () => {
      await newDisk(64 * 2 ** 20);
      const make =
        label === 'gpt'
          ? ['g', 'n', '2', '', '+5M', 'n', '7', '', '+3M']
          : ['o', 'n', 'p', '2', '', '+5M', 'n', 'p', '3', '', '+3M'];
      const child = spawn('fdisk', ['-b', '4096', '-w', 'never', path], { stdio: ['pipe', 'ignore', 'ignore'] });
      child.stdin.end([...make, 'w', ''].join('\n'));
      await once(child, 'close');
      const { stdout } = await run('fdisk', ['-b', '4096', '-l', '-o', 'Device,Start,Sectors', path]);
      const rows = stdout.split('\n').filter((line) => line.startsWith(path));
      const expected = rows.map((row) => row.slice(path.length).trim().split(/ +/).map(Number));
      const table = await readTable(label === 'gpt' ? undefined : 4096);
      const found = table.partitions.map(({ length, number, offset }) => [number, offset / 4096, length / 4096]);
      assert.deepEqual([table.scheme, table.sectorSize, table.problems, found.length], [label, 4096, [], 2]);
      assert.deepEqual(found, expected);
    });
  }
});

describe('sgdisk', { skip: skipWithout('sgdisk') }, () => {
  test('a GPT with 200 entries, names and a hybrid MBR', async () => {
    await newDisk(32 * 2 ** 20);
    await run('sgdisk', ['-S', '200', '-n', '150:2048:+1M', '-c', '150:behind', '-n', '3:0:0', '-t', '3:8e00', path]);
    await run('sgdisk', ['-h', '3', path]);
    const table = await readTable();
    assert.deepEqual([table.scheme, table.problems], ['gpt', []]);
    assert.deepEqual(
      table.partitions.map(({ name, number, typeName }) => [number, name, typeName]),
      [
        [3, undefined, 'Linux LVM'],
        [150, 'behind', 'Linux filesystem'],
      ],
    );
  });

  test('where the first copy is overwritten, the second one tells what sgdisk made', async () => {
    await newDisk(32 * 2 ** 20);
    await run('sgdisk', ['-n', '1:2048:+1M', '-n', '2:0:+2M', path]);
    const whole = await readTable();
    await using file = await open(path, 'r+');
    await file.write(new Uint8Array(33 * 512), 0, 33 * 512, 512);
    const table = await readTable();
    assert.deepEqual(table.partitions, whole.partitions);
    assert.equal(table.problems.length, 1);
  });
});

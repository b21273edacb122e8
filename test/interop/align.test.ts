import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { alignedDisk } from '../../src/image/align/aligned-disk.ts';
import { exportDisk } from '../../src/image/export-disk.ts';
import { openFileDisk } from '../../src/image/file-disk.ts';
import { readPartitionTable } from '../../src/partition/read-partition-table.ts';
import { run } from '../filesystem/sample-image.ts';
import { makePartitionedDisk, type SfdiskPartition, type SfdiskTable, sfdiskTable } from '../partition/sfdisk.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const [path, fixed] = [join(directory, 'disk.raw'), join(directory, 'fixed.raw')];
const mebibyte = 2048;

/** Writes the aligned copy of `path` to `fixed`. @returns what in it needs help */
async function fix(): Promise<readonly string[]> {
  await using disk = await openFileDisk(path);
  const table = await readPartitionTable(disk.device, { name: path });
  assert.ok(table !== undefined);
  const aligned = await alignedDisk(disk.device, table, path);
  await exportDisk({ kind: 'file', label: path, device: aligned.over(disk.device) }, fixed, { force: true });
  return aligned.problems;
}

/** Has each sector of a partition name the partition and the sector. */
function fill({ partitions = [] }: SfdiskTable): void {
  const file = fs.openSync(path, 'r+');
  for (const each of partitions) if (!isExtended(each)) fs.writeSync(file, contentOf(each), 0, null, each.start * 512);
  fs.closeSync(file);
}

function contentOf({ node, size }: SfdiskPartition): Buffer {
  const lines = Array.from({ length: size }, (_, sector) => `${numberOf(node)}: ${sector}`.padEnd(512, '.'));
  return Buffer.from(lines.join(''));
}

function numberOf(node: string): number {
  return Number(/\d+$/.exec(node)?.[0]);
}

function isExtended({ type }: SfdiskPartition): boolean {
  return ['5', 'f', '85'].includes(type);
}

function requireContent({ partitions = [] }: SfdiskTable): void {
  const file = fs.openSync(fixed, 'r');
  for (const each of partitions.filter((one) => !isExtended(one))) {
    const bytes = Buffer.alloc(each.size * 512);
    fs.readSync(file, bytes, 0, bytes.length, each.start * 512);
    assert.ok(bytes.equals(contentOf(each)), `partition ${each.node} holds something else`);
  }
  fs.closeSync(file);
}

/** What is to be the same, and what is to be a whole mebibyte. */
function summary({ id, label, partitions = [] }: SfdiskTable): unknown {
  const rows = partitions.map(({ node, size, start, ...rest }) => ({
    ...rest,
    number: numberOf(node),
    size: isExtended({ node, size, start, ...rest }) ? undefined : size,
  }));
  const inOrder = [...partitions].sort((one, other) => one.start - other.start).map(({ node }) => numberOf(node));
  return { id, label, rows, inOrder };
}

async function judge(): Promise<void> {
  const before = await sfdiskTable(path);
  fill(before);
  assert.deepEqual(await fix(), []);
  const table = await sfdiskTable(fixed);
  assert.deepEqual(summary(table), summary(before));
  const unaligned = (table.partitions ?? []).filter(({ start }) => start % mebibyte !== 0);
  assert.deepEqual(unaligned, []);
  requireContent(table);
  assert.match(await run('sfdisk', ['--verify', fixed]), /No errors detected/);
}

interface Layout {
  readonly partitions: readonly { readonly gap: number; readonly size: number }[];
}

/** sfdisk's words for partitions one behind the other, from `start` on, and where they end. */
function lined({ partitions }: Layout, start: number, more: (index: number) => string): [lines: string[], end: number] {
  let end = start;
  const lines = partitions.map(({ gap, size }, index) => {
    const line = `${more(index)}start=${end + gap}, size=${size}`;
    end += gap + size;
    return line;
  });
  return [lines, end];
}

const layouts = (maxLength: number) =>
  fc.record({
    partitions: fc.array(
      fc.record({ gap: fc.integer({ min: 2, max: 130 }), size: fc.integer({ min: 1, max: 2100 }) }),
      { maxLength },
    ),
  });

describe('alignedDisk', { skip: skipWithout('sfdisk', 'sgdisk') }, () => {
  test('lays random partitions of an MBR out anew, logical ones too, as sfdisk sees it', async () => {
    const property = fc.asyncProperty(
      layouts(3),
      layouts(6),
      fc.shuffledSubarray([1, 2, 3, 4], { minLength: 4 }),
      fc.boolean(),
      fc.boolean(),
      async (primary, logical, numbers, isReversed, isMuch) => {
        const [first, end] = lined(primary, 61, (index) => `${numbers[index]} : bootable, type=83, `);
        const [inner, last] = lined(logical, end + 65, () => 'type=8e, ');
        const extended = `${numbers[3]} : type=f, start=${end + 63}, size=${last - end + (isMuch ? 5000 : 0)}`;
        const logicalLines = (isReversed ? inner.reverse() : inner).map((line, index) => `${index + 5} : ${line}`);
        const lines = ['label: dos', 'label-id: 0xcafe0123', ...first, extended, ...logicalLines];
        await makePartitionedDisk(path, 24 * 2 ** 20, lines.join('\n'));
        await judge();
      },
    );
    await fc.assert(property, { numRuns: 12 });
  });

  test('and those of a GPT, as sgdisk sees it, on a disk that grows where it has to', async () => {
    const names = ['', 'root', 'Größe ⚡'];
    const property = fc.asyncProperty(layouts(8), fc.integer({ min: 34, max: 3000 }), async (layout, spare) => {
      const number = (index: number) => (index % 2 === 0 ? index + 1 : 40 - index);
      const [lines, end] = lined(layout, 34, (index) => {
        return `${number(index)} : type=L, name="${names[index % 3]}", attrs="GUID:${48 + index}", `;
      });
      await makePartitionedDisk(path, (end + spare) * 512, ['label: gpt', 'first-lba: 34', ...lines].join('\n'));
      await judge();
      assert.match(await run('sgdisk', ['--verify', fixed]), /No problems found/);
    });
    await fc.assert(property, { numRuns: 10 });
  });

  test('has exFAT know where it starts, with the sum that fsck.exfat wants to see', async (t) => {
    const tools = ['mkfs.exfat', 'fsck.exfat'].map((name) => requireTool(t, name));
    if (tools.includes(undefined)) return;
    const part = join(directory, 'part.raw');
    fs.writeFileSync(part, '');
    fs.truncateSync(part, 8 * 2 ** 20);
    await run('mkfs.exfat', [part]);
    const bytes = fs.readFileSync(part);
    // Both copies of its boot region: their sums are wrong by that.
    for (const region of [0, 12]) bytes.writeBigUInt64LE(63n, region * 512 + 64);
    await makePartitionedDisk(path, 24 * 2 ** 20, `label: dos\nstart=63, size=${bytes.length / 512}, type=7`);
    const file = fs.openSync(path, 'r+');
    fs.writeSync(file, bytes, 0, bytes.length, 63 * 512);
    fs.closeSync(file);
    assert.deepEqual(await fix(), []);
    const moved = fs.readFileSync(fixed).subarray(2 ** 20, 2 ** 20 + bytes.length);
    for (const region of [0, 12]) assert.equal(moved.readBigUInt64LE(region * 512 + 64), 2048n);
    fs.writeFileSync(part, moved);
    await run('fsck.exfat', ['-n', part]);
    // Its second copy has to be right, too: a sum of 11 sectors, over and over.
    assert.deepEqual(moved.subarray(11 * 512, 12 * 512), moved.subarray(23 * 512, 24 * 512));
  });

  test('leaves a disk as it is, byte by byte, that fdisk has laid out', async () => {
    const lines = ['size=4MiB, type=83, bootable', 'type=5', 'size=3MiB', 'size=2MiB', 'size=1MiB'];
    await makePartitionedDisk(path, 24 * 2 ** 20, ['label: dos', ...lines].join('\n'));
    fill(await sfdiskTable(path));
    assert.deepEqual(await fix(), []);
    assert.deepEqual(fs.readFileSync(fixed), fs.readFileSync(path));
  });
});

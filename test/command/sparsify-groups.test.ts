import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { dataStart, metadataSample, physicalVolumeSample, volumeSample } from '../volume/lvm2-sample.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'e2fsck', 'dumpe2fs', 'sfdisk');
const mebibyte = 2 ** 20;
const extent = 4096;
const ids = ['AAAAAAbbbbccccddddeeeeffffGGGGGG', 'HHHHHHiiiijjjjkkkkllllmmmmNNNNNN'];
const extentCount = 24 * 256;
const starts = [1 * mebibyte, 27 * mebibyte];

/** A segment on physical volumes, from extents of theirs on. */
function striped(start: number, count: number, stripes: readonly (readonly [pv: number, first: number])[]): string {
  const list = stripes.map(([pv, first]) => `"pv${pv}", ${first}`).join(', ');
  const fields = [`start_extent = ${start}`, `extent_count = ${count}`, 'type = "striped"'];
  return [...fields, `stripe_count = ${stripes.length}`, 'stripe_size = 16', `stripes = [${list}]`].join('\n');
}

const sixteen = 16 * 256;
const volumes = [
  volumeSample('pieces', [striped(0, 1000, [[0, 2000]]), striped(1000, sixteen - 1000, [[1, 0]])]),
  volumeSample('stripes', [
    striped(0, 2000, [
      [0, 0],
      [1, 4000],
    ]),
  ]),
  volumeSample('origin', [striped(0, 1000, [[0, 3000]])]),
  volumeSample('cow', [striped(0, 10, [[0, 4000]])], '"READ"'),
  volumeSample('snapshot0', [
    'start_extent = 0\nextent_count = 1000\ntype = "snapshot"\norigin = "origin"\ncow_store = "cow"',
  ]),
].join('\n');

/** Where the bytes of an extent of a volume are on the disk. */
const places: Readonly<Record<string, (index: number) => number>> = {
  pieces: (index) => (index < 1000 ? place(0, 2000 + index) : place(1, index - 1000)),
  stripes: (index) =>
    place(Math.floor(index / 2) % 2, (Math.floor(index / 2) % 2) * 4000 + Math.floor(index / 4) * 2 + (index % 2)),
  origin: (index) => place(0, 3000 + index),
};

function place(pv: number, index: number): number {
  return starts[pv]! + dataStart + index * extent;
}

/** A disk of two partitions, both physical volumes of a group, full of noise but for three file systems. */
async function makeDisk(t: TestContext, secondSeqno = 1): Promise<Workplace> {
  const place = new Workplace(t);
  const path = join(place.directory, 'disk.raw');
  const disk = randomBytes(54 * mebibyte);
  fs.writeFileSync(path, disk);
  execFileSync('sfdisk', ['-q', '--wipe', 'always', path], {
    input: 'label: dos\nsize=26MiB\nsize=26MiB\n',
    stdio: 'pipe',
  });
  const file = fs.openSync(path, 'r+');
  const dashedIds = ids.map((id) => id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7'));
  for (const [index, id] of ids.entries()) {
    const text = metadataSample(dashedIds, volumes, index === 0 ? 1 : secondSeqno, extentCount);
    const bytes = physicalVolumeSample({ id, text });
    fs.writeSync(file, bytes, 0, bytes.length, starts[index]!);
  }
  for (const [name, count] of [
    ['pieces', sixteen],
    ['stripes', 2000],
    ['origin', 1000],
  ] as const) {
    const image = join(place.directory, name);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', image, `${(count * extent) / 1024}k`]);
    const bytes = fs.readFileSync(image);
    const free = await freeBlocks(image);
    // What is free stays noise.
    for (let index = 0; index < count; index += 1) {
      if (!free.has(index)) fs.writeSync(file, bytes, index * extent, extent, places[name]!(index));
    }
  }
  fs.closeSync(file);
  return place;
}

/** The numbers of the blocks of a file system that are free, as dumpe2fs lists them. */
async function freeBlocks(image: string): Promise<ReadonlySet<number>> {
  const text = await run('dumpe2fs', [image]);
  const free = new Set<number>();
  for (const [, list = ''] of text.matchAll(/^ {2}Free blocks: (.*)$/gm)) {
    for (const range of list.split(', ').filter((each) => each !== '')) {
      const [first = 0, last = first] = range.split('-').map(Number);
      for (let block = first; block <= last; block += 1) free.add(block);
    }
  }
  assert.ok(free.size > 500);
  return free;
}

/** The content of a volume, gathered from the disk. */
function gathered(disk: Buffer, name: string, count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => disk.subarray(places[name]!(index), places[name]!(index) + extent)),
  );
}

describe('varve sparsify --in-place, disks with volume groups', { skip }, () => {
  test('gives back what is free in volumes and in the group, and nothing else', async (t) => {
    const place = await makeDisk(t);
    const path = join(place.directory, 'disk.raw');
    const before = fs.readFileSync(path);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw');
    assert.deepEqual(printed.split('\n').slice(0, 5), [
      'Trimming /dev/vg/pieces …',
      'Trimming /dev/vg/stripes …',
      'Leaving /dev/vg/origin alone: it is mirrored, thin, cached or has snapshots.',
      'Leaving /dev/vg/snapshot0 alone: it is mirrored, thin, cached or has snapshots.',
      'Trimming /dev/vg …',
    ]);
    const after = fs.readFileSync(path);
    for (const [name, count] of [
      ['pieces', sixteen],
      ['stripes', 2000],
    ] as const) {
      const image = join(place.directory, `${name}.after`);
      fs.writeFileSync(image, gathered(after, name, count));
      await run('e2fsck', ['-fn', image]);
      // In the file that mke2fs made, what is free was never written.
      const made = fs.readFileSync(join(place.directory, name));
      assert.ok(gathered(after, name, count).equals(made), name);
      assert.ok(!gathered(before, name, count).equals(made), name);
    }
    assert.ok(gathered(after, 'origin', 1000).equals(gathered(before, 'origin', 1000)));
    for (const [pv, index] of [
      [0, 1000],
      [0, 1999],
      [0, 4010],
      [1, sixteen - 1000],
      [1, 3999],
      [1, 5000],
    ] as const) {
      const start = starts[pv]! + dataStart + index * extent;
      assert.ok(
        after.subarray(start, start + extent).every((byte) => byte === 0),
        `${pv} ${index}`,
      );
    }
    for (const start of [
      ...starts,
      starts[0]! + dataStart + 4000 * extent,
      starts[0]! + dataStart + extentCount * extent,
    ]) {
      assert.ok(after.subarray(start, start + extent).equals(before.subarray(start, start + extent)), `${start}`);
    }
  });

  test('leaves a group alone of which a part is missing or older', async (t) => {
    const place = await makeDisk(t, 2);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw');
    assert.match(
      printed,
      /Leaving \/dev\/sda1 alone: it is a physical volume of LVM\.\nLeaving \/dev\/sda2 alone: it is a phys/,
    );
    const whole = await makeDisk(t);
    const ignoring = await whole.varve('sparsify', '--in-place', '--ignore', '/dev/sda2', './disk.raw');
    assert.match(ignoring, /Leaving \/dev\/sda1 alone: it is a physical volume of LVM\./);
    const volume = await whole.varve('sparsify', '--in-place', '--ignore', '/dev/vg/pieces', './disk.raw');
    assert.match(volume, /^Trimming \/dev\/vg\/stripes …/);
  });
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { mountedDifferences, mountedFiles } from '../../test/changes/mounted-files.ts';
import { chanceOf, changeRandomly, makeTree } from '../../test/changes/random-changes.ts';
import { fillMounted, whyNoMount } from '../../test/filesystem/mounted-image.ts';
import { run } from '../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../test/interop/require-tool.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { IntervalSet } from '../bytes/interval-set.ts';
import { openFileSystem } from '../filesystem/file-systems.ts';
import { openGuest } from '../guest/open-guest.ts';
import { type DiffGuestsOptions, diffGuests } from './diff-guests.ts';
import type { FileChange } from './file-change.ts';

const chunkSize = 65_536;
const tools = skipWithout('mke2fs', 'mkfs.xfs', 'setfattr', 'getfattr');

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Where two images of one size differ, in whole chunks: what the store tells of two snapshots. */
function differentChunks(a: Buffer, b: Buffer): Range[] {
  const ranges: Range[] = [];
  for (let offset = 0; offset < a.length; offset += chunkSize) {
    const end = Math.min(a.length, offset + chunkSize);
    if (a.compare(b, offset, end, offset, end) !== 0) ranges.push({ offset, length: end - offset });
  }
  return ranges;
}

async function changesBetween(a: Buffer, b: Buffer, options: DiffGuestsOptions): Promise<readonly FileChange[]> {
  await using stack = new AsyncDisposableStack();
  const open = async (bytes: Buffer, label: string) => {
    return { label, guest: stack.use(await openGuest(memoryDevice(bytes), { name: label })) };
  };
  return (await diffGuests(await open(a, 'a'), await open(b, 'b'), stack, options)).changes;
}

function linesOf(changes: readonly FileChange[]): string[] {
  return changes
    .map(({ kind, path, differences, before }) => {
      const was = kind === 'renamed' ? ` from ${before!.path}` : '';
      const shown = differences.includes('kind') ? ['kind'] : differences;
      return `${kind} ${path}${was}${shown.length > 0 ? ` ${shown.join(', ')}` : ''}`;
    })
    .sort();
}

/** Whether the file systems can tell what changed without being walked. */
async function isTold(a: Buffer, b: Buffer): Promise<boolean> {
  const [before, after] = [
    await openFileSystem(memoryDevice(a), { name: 'a' }),
    await openFileSystem(memoryDevice(b), { name: 'b' }),
  ];
  const ranges = differentChunks(a, b).map(({ offset, length }) => ({ offset, end: offset + length }));
  return (await after.changesSince!(before, new IntervalSet(ranges))) !== undefined;
}

/** What both ways tell is the same, and is what Linux sees. */
async function judge(a: Buffer, b: Buffer, seen: readonly string[]): Promise<void> {
  const ranges = () => Promise.resolve(differentChunks(a, b));
  assert.ok(await isTold(a, b));
  assert.deepEqual(linesOf(await changesBetween(a, b, { ranges, renames: false })), seen);
  assert.deepEqual(linesOf(await changesBetween(a, b, { renames: false })), seen);
  const [quick, whole] = [
    await changesBetween(a, b, { ranges, times: true }),
    await changesBetween(a, b, { times: true }),
  ];
  assert.deepEqual(linesOf(quick), linesOf(whole));
}

interface Kind {
  readonly type: 'ext4' | 'xfs';
  readonly size: number;
  readonly make: (image: string) => Promise<unknown>;
  readonly powerCut?: boolean;
}

async function judgeRandomChanges({ size, make, powerCut = false }: Kind, seed: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const image = join(directory, 'image');
  try {
    fs.writeFileSync(image, '');
    fs.truncateSync(image, size);
    await make(image);
    const chance = chanceOf(seed);
    await fillMounted(image, (top) => makeTree(top, chance));
    let [bytes, files] = [fs.readFileSync(image), await filesIn(image)];
    for (let step = 0; step < 2; step++) {
      await fillMounted(
        image,
        (top) => {
          changeRandomly(top, chance, 1 + chance(25));
          if (powerCut) syncAll(top);
        },
        { powerCut },
      );
      const changed = fs.readFileSync(image);
      const now = await filesIn(image);
      await judge(bytes, changed, mountedDifferences(files, now));
      [bytes, files] = [fs.readFileSync(image), now];
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What is in the journal by now survives a power cut. */
function syncAll(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

async function filesIn(image: string): Promise<ReturnType<typeof mountedFiles>> {
  let files: ReturnType<typeof mountedFiles> | undefined;
  await fillMounted(image, (top) => {
    files = mountedFiles(top);
  });
  return files!;
}

const mebibyte = 2 ** 20;
const ext =
  (...args: string[]) =>
  (image: string) =>
    run('mke2fs', ['-q', '-F', ...args, image]);

const makeXfs =
  (...args: string[]) =>
  (image: string) =>
    run('mkfs.xfs', ['-q', '-f', '--unsupported', ...args, image]);

const kinds: Readonly<Record<string, Kind>> = {
  ext4: { type: 'ext4', size: 40 * mebibyte, make: ext('-t', 'ext4') },
  'ext3 with small blocks and inodes': {
    type: 'ext4',
    size: 32 * mebibyte,
    make: ext('-t', 'ext3', '-b', '1024', '-I', '128'),
  },
  'ext4 with inline data': {
    type: 'ext4',
    size: 40 * mebibyte,
    make: ext('-t', 'ext4', '-O', 'inline_data', '-I', '512', '-b', '4096'),
  },
  'ext4 with clusters': {
    type: 'ext4',
    size: 64 * mebibyte,
    make: ext('-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '16384'),
  },
  'ext4 whose journal was not written back': {
    type: 'ext4',
    size: 40 * mebibyte,
    make: ext('-t', 'ext4'),
    powerCut: true,
  },
  xfs: { type: 'xfs', size: 48 * mebibyte, make: makeXfs() },
  'xfs with small blocks, many groups and all trees': {
    type: 'xfs',
    size: 64 * mebibyte,
    make: makeXfs('-b', 'size=1024', '-d', 'agcount=4', '-n', 'size=8192', '-m', 'rmapbt=1,reflink=1,finobt=1'),
  },
  'xfs whose log was not written back': { type: 'xfs', size: 48 * mebibyte, make: makeXfs(), powerCut: true },
};

for (const [name, kind] of Object.entries(kinds)) {
  test(`random changes to ${name} are told as Linux sees them, with and without looking at all files`, {
    skip: tools || whyNoMount(kind.type),
  }, async () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
    await fc.assert(
      fc.asyncProperty(seeds, (seed) => judgeRandomChanges(kind, seed)),
      { numRuns: 1, endOnFailure: true },
    );
  });
}

for (const [name, kind] of Object.entries({ ext4: kinds.ext4!, xfs: kinds.xfs! })) {
  test(`bytes that were changed in a file of ${name} behind its inode's back are found`, {
    skip: tools || whyNoMount(kind.type),
  }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'varve-'));
    try {
      const image = join(directory, 'image');
      fs.writeFileSync(image, '');
      fs.truncateSync(image, kind.size);
      await kind.make(image);
      const secret = Buffer.from('what nobody may change');
      await fillMounted(image, (top) => {
        makeTree(top, chanceOf(1));
        fs.writeFileSync(join(top, 'usr/share/doc/secret'), Buffer.concat([Buffer.alloc(9000, 'x'), secret]));
        // Two names: it is told by each.
        fs.linkSync(join(top, 'usr/share/doc/secret'), join(top, 'etc/secret'));
      });
      const before = fs.readFileSync(image);
      const after = Buffer.from(before);
      after.write('W', before.indexOf(secret));
      await judge(before, after, ['modified /etc/secret content', 'modified /usr/share/doc/secret content']);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

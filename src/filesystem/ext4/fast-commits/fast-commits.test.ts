import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fillMounted, whyNoMount } from '../../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../../test/filesystem/sample-image.ts';
import { expectedTree } from '../../../../test/filesystem/sample-tree.ts';
import { makeSyncedChanges } from '../../../../test/filesystem/synced-changes.ts';
import { skipWithout } from '../../../../test/interop/require-tool.ts';
import { isVarveError } from '../../../base/varve-error.ts';
import type { MemoryDevice } from '../../../block/memory-device.ts';
import { crc32c } from '../../../bytes/crc32c.ts';
import type { ExpectedFile } from '../../../conformance/file-system-sample.ts';
import { nodesOf } from '../../../conformance/file-system-walk.ts';
import type { FileSystem } from '../../file-system.ts';
import { ext4 } from '../ext4.ts';

const mebibyte = 2 ** 20;
const skip = skipWithout('mke2fs') || whyNoMount('ext4');

/** What a file system is after a power cut, and what Linux makes of it. */
interface CutOff {
  readonly open: () => MemoryDevice;
  readonly recovered: readonly ExpectedFile[];
  /** How many fast commits Linux says that it has made. */
  readonly fastCommits: number;
}

async function cutOff(
  options: readonly string[],
  change: (directory: string) => Promise<void> | void,
): Promise<CutOff> {
  let recovered: ExpectedFile[] = [];
  let fastCommits = 0;
  const open = await sampleImage(64 * mebibyte, async (image) => {
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-O', 'fast_commit', ...options, image]);
    const mount = { powerCut: true, options: 'loop' };
    const changed = async (directory: string) => {
      await change(directory);
      fastCommits = fastCommitsOf(image);
    };
    await fillMounted(image, changed, mount);
    const copy = `${image} recovered`;
    fs.copyFileSync(image, copy);
    await fillMounted(copy, (directory) => {
      recovered = expectedTree(directory, { unix: true, times: true });
    });
  });
  return { open, recovered, fastCommits };
}

function fastCommitsOf(image: string): number {
  const [, loop = ''] = /^\/dev\/(\w+):/.exec(execFileSync('losetup', ['-j', image], { encoding: 'utf8' })) ?? [];
  const said = fs.readFileSync(`/proc/fs/ext4/${loop}/fc_info`, 'utf8');
  return Number(/(\d+) commits/.exec(said)?.[1]);
}

async function checkTree(fileSystem: FileSystem, files: readonly ExpectedFile[]): Promise<void> {
  const found = await nodesOf(fileSystem);
  const pathOf = ({ path }: ExpectedFile) => Buffer.from(path).toString('latin1');
  assert.deepEqual([...found.keys()].sort(), files.map(pathOf).sort());
  for (const file of files) {
    const node = found.get(pathOf(file))!;
    const stat = await fileSystem.stat(node);
    assert.equal(stat.kind, file.kind);
    // Of a directory fast commits say what was made and removed in it, and not what that made of the directory itself.
    if (file.kind === 'directory') continue;
    for (const [key, value] of Object.entries(file.stat ?? {})) {
      assert.deepEqual(stat[key as keyof typeof stat], value, `${pathOf(file)}: ${key}`);
    }
    if (file.target !== undefined) assert.deepEqual(Buffer.from(await fileSystem.readLink(node)), file.target);
    if (file.content === undefined) continue;
    const content = Buffer.alloc(stat.size);
    await fileSystem.read(node, content, 0);
    assert.ok(content.equals(file.content), pathOf(file));
  }
}

describe('fast commits of ext4', { skip }, () => {
  let made: Promise<CutOff> | undefined;
  const directed = () => (made ??= cutOff(['-b', '1024'], makeDirectedChanges));

  for (const [seed, options, kinds] of [
    [1, [], 8],
    [2, ['-b', '1024'], 8],
    [3, ['-O', 'inline_data', '-I', '512'], 8],
    [4, ['-O', '^metadata_csum,^64bit'], 8],
    [5, ['-b', '2048', '-I', '128'], 9],
    [6, [], 8],
    [7, ['-b', '1024'], 9],
    [8, ['-O', 'bigalloc'], 8],
  ] as const) {
    test(`history ${seed} is read as Linux recovers it (${options.join(' ')})`, async () => {
      const { fastCommits, open, recovered } = await cutOff(options, (directory) =>
        makeSyncedChanges(directory, { seed, count: 40, kinds }),
      );
      assert.ok(fastCommits > 0, 'Linux has made no fast commit');
      await using device = open();
      await using fileSystem = await ext4.open(device, { name: 'sample' });
      await checkTree(fileSystem, recovered);
    });
  }

  test('and one whose journal has gone round, and stops short of them', async () => {
    const { fastCommits, open, recovered } = await cutOff(['-b', '1024', '-J', 'size=4'], async (directory) => {
      for (let round = 0; round < 400; round++) makeWholeTransaction(join(directory, `round ${round}`));
      fs.writeFileSync(join(directory, 'last'), 'last');
      syncFile(join(directory, 'last'));
    });
    assert.ok(fastCommits > 0, 'Linux has made no fast commit');
    await using device = open();
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    await checkTree(fileSystem, recovered);
  });

  test('files of many pieces, new directories and those with an index, names that go and come', async () => {
    const { fastCommits, open, recovered } = await directed();
    assert.ok(fastCommits >= 30, `Linux has made ${fastCommits} fast commits`);
    await using device = open();
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    await checkTree(fileSystem, recovered);
    const way = await find(fileSystem, 'made/in it');
    assert.equal(await fileSystem.parent?.(way[1]!), way[0]);
    const pieces = (await find(fileSystem, 'pieces'))[1]!;
    const kinds = (await Array.fromAsync(fileSystem.extents(pieces))).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'hole').length, 30);
    assert.equal(await fileSystem.lookup(fileSystem.root, Buffer.from('gone')), undefined);
  });

  test('what they say ends with the first that does not fit its checksum', async () => {
    const { open } = await directed();
    await using device = open();
    const block = firstBlockOf(device);
    const before = Buffer.alloc(1024);
    device.read(before, block);
    before[40]! ^= 1;
    device.write(before, block);
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    assert.equal(await fileSystem.lookup(fileSystem.root, Buffer.from('made')), undefined);
    assert.notEqual(await fileSystem.lookup(fileSystem.root, Buffer.from('gone')), undefined);
  });

  test('whatever they say is taken or CORRUPT, soon', async () => {
    const { open } = await directed();
    const numbers = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom(8192, 0x7fff_ffff, 0xffff_ffff));
    const tag = fc.record({ kind: fc.integer({ min: 1, max: 7 }), numbers: fc.array(numbers, { maxLength: 5 }) });
    const tags = fc.array(
      fc.oneof(
        tag,
        tag.map((each) => ({ ...each, numbers: suitable(each) })),
      ),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(tags, async (chosen) => {
        await using device = open();
        const block = firstBlockOf(device);
        const head = Buffer.alloc(12);
        device.read(head, block);
        device.write(commitOf(head, chosen), block);
        try {
          await using fileSystem = await ext4.open(device, { name: 'sample' });
          await readAll(fileSystem);
        } catch (error) {
          assert.ok(isVarveError(error), String(error));
        }
      }),
      { numRuns: 40 },
    );
  });
});

function makeWholeTransaction(directory: string): void {
  fs.mkdirSync(directory);
  for (let index = 0; index < 12; index++) fs.writeFileSync(join(directory, `${index}`), 'file');
  // Of symlinks there are no fast commits. Nothing but the journal is written, so that it is full, not empty, all the time.
  fs.symlinkSync('target', join(directory, 'symlink'));
  syncFile(directory);
}

function syncFile(path: string): void {
  const file = fs.openSync(path, 'r');
  fs.fsyncSync(file);
  fs.closeSync(file);
}

function makeDirectedChanges(directory: string): void {
  const at = (name: string) => join(directory, name);
  fs.mkdirSync(at('many'));
  for (let index = 0; index < 200; index++) fs.writeFileSync(at(`many/file number ${index}`), `${index}`);
  for (const name of ['gone', 'old', 'replaced', 'pieces']) fs.writeFileSync(at(name), name);
  execFileSync('sync', ['-f', directory]);
  const pieces = fs.openSync(at('pieces'), 'r+');
  for (let index = 0; index < 30; index++) {
    fs.writeSync(pieces, Buffer.alloc(1024, index + 1), 0, 1024, (1 + ((index * 7) % 30)) * 4096);
    fs.fsyncSync(pieces);
  }
  fs.closeSync(pieces);
  fs.mkdirSync(at('made'));
  fs.writeFileSync(at('made/in it'), 'in it');
  fs.rmSync(at('gone'));
  fs.renameSync(at('old'), at('replaced'));
  for (let index = 0; index < 200; index += 7) fs.rmSync(at(`many/file number ${index}`));
  fs.linkSync(at('many/file number 1'), at('many/another name'));
  fs.writeFileSync(at('made/last'), 'last');
  for (const name of ['made/in it', 'made/last', 'replaced', 'many/another name']) syncFile(at(name));
}

/** Reads a bit of each file that can be reached; directories may be inside of themselves. */
async function readAll(fileSystem: FileSystem): Promise<void> {
  const seen = new Set([fileSystem.root]);
  for (const directory of seen) {
    if ((await fileSystem.stat(directory)).kind !== 'directory') continue;
    for await (const { node } of fileSystem.readDirectory(directory)) {
      seen.add(node);
      if ((await fileSystem.stat(node)).kind === 'file') await fileSystem.read(node, new Uint8Array(5000), 0);
    }
  }
}

/** The nodes on the way to a file. */
async function find(fileSystem: FileSystem, path: string): Promise<number[]> {
  const way = [fileSystem.root];
  for (const name of path.split('/')) {
    const node = await fileSystem.lookup(way.at(-1)!, Buffer.from(name));
    assert.ok(node !== undefined, `there is no ${path}`);
    way.push(node);
  }
  return way;
}

/** Where the first fast commit is, by its HEAD. */
function firstBlockOf(device: MemoryDevice): number {
  const block = Buffer.alloc(1024);
  for (let offset = 0; offset < device.size; offset += block.length) {
    device.read(block, offset);
    const isHead = block.readUInt16LE(0) === 9 && block.readUInt16LE(2) === 8 && block.readUInt32LE(4) === 0;
    if (isHead && block.readUInt16LE(12) < 9) return offset;
  }
  throw new Error('there is no fast commit');
}

interface MadeUpTag {
  readonly kind: number;
  readonly numbers: readonly number[];
}

/** As many numbers as a kind has; for an inode as many as make one. */
function suitable({ kind, numbers }: MadeUpTag): number[] {
  const [count = 4] = { 1: [4], 2: [3], 6: [41] }[kind] ?? [];
  return Array.from({ length: count }, (_, index) => numbers[index % Math.max(1, numbers.length)] ?? 12);
}

/** A block of one commit whose checksum fits. */
function commitOf(head: Buffer, tags: readonly MadeUpTag[]): Buffer {
  const parts = [head];
  for (const { kind, numbers } of tags) {
    const bytes = Buffer.alloc(4 + numbers.length * 4);
    bytes.writeUInt16LE(kind, 0);
    bytes.writeUInt16LE(numbers.length * 4, 2);
    for (const [index, value] of numbers.entries()) bytes.writeUInt32LE(value, 4 + index * 4);
    if (Buffer.concat([...parts, bytes]).length < 1000) parts.push(bytes);
  }
  const length = Buffer.concat(parts).length;
  const tail = Buffer.alloc(1024 - length);
  tail.writeUInt16LE(8, 0);
  tail.writeUInt16LE(tail.length - 4, 2);
  head.copy(tail, 4, 8, 12);
  tail.writeUInt32LE(~crc32c(Buffer.concat([...parts, tail.subarray(0, 8)]), 0xffff_ffff) >>> 0, 8);
  return Buffer.concat([...parts, tail]);
}

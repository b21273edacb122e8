import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { assertEqualBytes, contentOf } from '../../src/conformance/device-content.ts';
import { type RecordingDevice, type ReplayOptions, recordFilter } from '../../src/filter/record.ts';
import { openImage } from '../../src/format/formats.ts';
import { commitOverlay } from '../../src/image/file-history/commit-overlay.ts';
import { stageQcow2 } from '../../src/image/file-history/commit-qcow2.ts';
import { mergedContent } from '../../src/image/file-history/merged-content.ts';
import { ownRanges } from '../../src/image/file-history/own-ranges.ts';
import { assertClean, type ImageDirectory, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');

/** A base and an overlay of it, made by QEMU. */
interface Scenario {
  readonly name: string;
  readonly options: string;
  /** Of the disks of base and overlay, in bytes. */
  readonly sizes: readonly [base: number, overlay: number];
  /** What is written to the base before the overlay is made, in the words of qemu-io. */
  readonly base: readonly string[];
  readonly overlay: readonly string[];
  /** What the base builds on, if it builds on something. */
  readonly below?: readonly string[];
  /** More that is done to the base. */
  readonly prepare?: (path: string) => Promise<unknown>;
}

const kilo = 1024;
const usual = {
  base: ['write -P 1 0 200k', 'write -P 2 300k 90k'],
  overlay: ['write -P 3 100k 250k', 'write -z 20k 30k'],
};

const scenarios: readonly Scenario[] = [
  { name: 'clusters of 4 KiB', options: 'cluster_size=4k', sizes: [512 * kilo, 512 * kilo], ...usual },
  { name: 'clusters of 512 bytes', options: 'cluster_size=512', sizes: [400 * kilo, 400 * kilo], ...usual },
  { name: 'version 2', options: 'compat=0.10,cluster_size=4k', sizes: [512 * kilo, 512 * kilo], ...usual },
  { name: 'refcounts of 1 bit', options: 'refcount_bits=1,cluster_size=4k', sizes: [512 * kilo, 512 * kilo], ...usual },
  {
    name: 'extended L2 entries',
    options: 'extended_l2=on,cluster_size=16k',
    sizes: [512 * kilo, 512 * kilo],
    ...usual,
  },
  { name: 'a disk that grows', options: 'cluster_size=4k', sizes: [390 * kilo, 700 * kilo + 512], ...usual },
  { name: 'an overlay that is smaller', options: 'cluster_size=4k', sizes: [512 * kilo, 351 * kilo], ...usual },
  {
    name: 'a refcount table that is too short',
    options: 'cluster_size=512,refcount_bits=64',
    sizes: [3072 * kilo, 3072 * kilo],
    base: ['write -P 1 0 100k'],
    overlay: ['write -P 3 0 2500k'],
  },
  {
    name: 'a base that builds on another and grows',
    options: 'cluster_size=4k',
    sizes: [301 * kilo, 600 * kilo],
    below: ['write -P 9 0 512k'],
    base: ['write -P 1 0 100k'],
    overlay: ['write -z 50k 100k', 'write -P 3 90k 40k', 'write -P 4 400k 10k'],
  },
  {
    name: 'version 2 that builds on another',
    options: 'compat=0.10,cluster_size=4k',
    sizes: [512 * kilo, 512 * kilo],
    below: ['write -P 9 0 512k'],
    base: ['write -P 1 0 100k'],
    overlay: ['write -z 50k 100k', 'write -P 3 90k 40k'],
  },
  {
    name: 'a base with snapshots inside',
    options: 'cluster_size=4k',
    sizes: [512 * kilo, 512 * kilo],
    ...usual,
    async prepare(path) {
      await qemuImg('snapshot', '-c', 'first', path);
      await qemuIo(path, 'write -P 5 150k 100k');
      await qemuImg('snapshot', '-c', 'second', path);
    },
  },
  {
    name: 'compressed clusters',
    options: 'cluster_size=4k',
    sizes: [512 * kilo, 512 * kilo],
    base: ['write -c -P 1 0 4k', 'write -c -P 2 4k 4k', 'write -c -P 3 8k 4k', 'write -c -P 4 12k 4k'],
    overlay: ['write -P 5 4k 6k'],
  },
];

describe('a commit to a qcow2 image', { skip }, () => {
  for (const scenario of scenarios) {
    test(`merges into one with ${scenario.name}`, async () => {
      await using directory = await imageDirectory();
      const { base, overlay } = await make(directory, scenario);
      const expected = directory.path('expected.raw');
      await writeFile(expected, await expectedContent(directory, scenario));
      const { length } = await commitOverlay(overlay);
      assert.ok(length > 0);
      await assertClean(base);
      await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', base, expected);
      await assertClean(overlay);
      const overlaySize = await sizeOf(overlay, directory);
      assertEqualBytes(
        (await contentByQemu(directory, overlay)).subarray(0, overlaySize),
        (await readFile(expected)).subarray(0, overlaySize),
        'the overlay',
      );
      assert.ok((await stat(overlay)).size <= 256 * kilo, 'the overlay is empty');
      if (scenario.prepare !== undefined) await assertSnapshots(directory, base);
    });

    test(`leaves one with ${scenario.name} old or new, wherever it is cut off`, async (t) => {
      await using directory = await imageDirectory();
      const { base, overlay } = await make(directory, scenario);
      const before = await contentByQemu(directory, base);
      const after = await expectedContent(directory, scenario);
      const recorder = await recordCommit(directory, base, overlay);
      const states = { old: 0, new: 0, leaking: 0 };
      for (const [count, options] of cuts(recorder)) {
        const image = await contentOf(recorder.replay(count, options));
        const path = await directory.save('cut.qcow2', image);
        if (await onlyLeaks(path)) states.leaking += 1;
        const content = await contentInside(image, directory);
        const isNew = Buffer.compare(content, after) === 0;
        if (!isNew) assertEqualBytes(content, before, `after ${count} of ${recorder.events.length} events`);
        states[isNew ? 'new' : 'old'] += 1;
      }
      assert.ok(states.old > 0 && states.new > 0);
      t.diagnostic(`${states.old} old, ${states.new} new, ${states.leaking} of them with leaks`);
    });
  }

  test('again and again takes the clusters that got free, if nobody has the base open', async () => {
    await using directory = await imageDirectory();
    const [base, overlay] = [directory.path('base.qcow2'), directory.path('overlay.qcow2')];
    await qemuImg('create', '-q', '-f', 'qcow2', base, '4M');
    const sizes: number[] = [];
    for (let round = 1; round <= 5; round += 1) {
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', overlay);
      await qemuIo(overlay, `write -P ${round} 0 4M`);
      await commitOverlay(overlay, { delete: true });
      sizes.push((await stat(base)).size);
    }
    await assertClean(base);
    await qemuIo(base, 'read -P 5 0 4M');
    assert.deepEqual(sizes.slice(2), [sizes[1], sizes[1], sizes[1]]);
  });

  test('leaves whoever has the base open what it was, over several commits', async () => {
    await using directory = await imageDirectory();
    const [base, overlay] = [directory.path('base.qcow2'), directory.path('overlay.qcow2')];
    await qemuImg('create', '-q', '-f', 'qcow2', base, '4M');
    await qemuIo(base, 'write -P 77 0 4M');
    await using reader = await openPath(base);
    for (let round = 1; round <= 3; round += 1) {
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', overlay);
      await qemuIo(overlay, `write -P ${round} 0 4M`);
      await commitOverlay(overlay, { delete: true });
      assertEqualBytes(await contentOf(reader), Buffer.alloc(4 * kilo * kilo, 77), `after commit ${round}`);
    }
    await assertClean(base);
    await qemuIo(base, 'read -P 3 0 4M');
  });
});

describe('a commit to a raw file', { skip }, () => {
  for (const [size, overlaySize] of [
    [1_000_448, 1_000_448],
    [1_000_448, 3_000_320],
    [3_000_320, 1_000_448],
  ] as const) {
    test(`merges into a disk of ${size} bytes what is over it in one of ${overlaySize}`, async () => {
      await using directory = await imageDirectory();
      const [base, overlay] = [directory.path('base.raw'), directory.path('overlay.qcow2')];
      await qemuImg('create', '-q', '-f', 'raw', base, String(size));
      await qemuIo(base, 'write -P 1 0 700k');
      const reader = await openPath(base);
      const before = await contentOf(reader);
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', overlay, String(overlaySize));
      await qemuIo(overlay, 'write -P 2 300k 500k', 'write -z 100k 100k', `write -P 3 ${overlaySize - 4096} 4k`);
      const expected = await contentByQemu(directory, overlay);
      await commitOverlay(overlay);
      const content = await readFile(base);
      assertEqualBytes(content.subarray(0, overlaySize), expected, 'the base');
      assertEqualBytes(content.subarray(overlaySize), before.subarray(overlaySize), 'its end');
      assertEqualBytes(await contentOf(reader), before, 'whoever had it open');
      await reader[Symbol.asyncDispose]();
      await qemuImg('compare', overlay, overlaySize < size ? overlay : base);
      assert.deepEqual(JSON.parse(await qemuImg('info', '--output=json', overlay))['backing-filename'], 'base.raw');
    });
  }
});

async function make(directory: ImageDirectory, scenario: Scenario): Promise<{ base: string; overlay: string }> {
  const [below, base, overlay] = ['below.qcow2', 'base.qcow2', 'overlay.qcow2'].map(directory.path) as [
    string,
    string,
    string,
  ];
  const { options, sizes } = scenario;
  const create = ['create', '-q', '-f', 'qcow2', '-o'];
  if (scenario.below !== undefined) {
    await qemuImg(...create, 'cluster_size=4k', below, '512k');
    await qemuIo(below, ...scenario.below);
  }
  const onBelow = scenario.below === undefined ? [] : ['-b', 'below.qcow2', '-F', 'qcow2'];
  await qemuImg(...create, options, ...onBelow, base, String(sizes[0]));
  await qemuIo(base, ...scenario.base);
  await scenario.prepare?.(base);
  await qemuImg(...create, options, '-b', 'base.qcow2', '-F', 'qcow2', overlay, String(sizes[1]));
  await qemuIo(overlay, ...scenario.overlay);
  return { base, overlay };
}

/** What is in the overlay, and behind its end what is in the base. */
async function expectedContent(directory: ImageDirectory, { sizes }: Scenario): Promise<Buffer> {
  const upper = await contentByQemu(directory, directory.path('overlay.qcow2'));
  if (sizes[1] >= sizes[0]) return upper;
  const lower = await contentByQemu(directory, directory.path('base.qcow2'));
  return Buffer.concat([upper, lower.subarray(upper.length)]);
}

async function sizeOf(path: string, directory: ImageDirectory): Promise<number> {
  await using disk = await openPath(path, directory.path(''));
  return disk.size;
}

async function contentByQemu(directory: ImageDirectory, path: string): Promise<Buffer> {
  await qemuImg('convert', '-O', 'raw', path, directory.path('content.raw'));
  return await readFile(directory.path('content.raw'));
}

async function assertSnapshots(directory: ImageDirectory, base: string): Promise<void> {
  for (const [name, pattern] of [
    ['first', 1],
    ['second', 5],
  ] as const) {
    await qemuImg('convert', '-l', `snapshot.name=${name}`, '-O', 'raw', base, directory.path('snapshot.raw'));
    const content = await readFile(directory.path('snapshot.raw'));
    assert.equal(content[160 * kilo], pattern, `snapshot ${name}`);
  }
}

/** Commits to a copy of the base in memory that remembers every write. */
async function recordCommit(directory: ImageDirectory, base: string, overlay: string): Promise<RecordingDevice> {
  const recorder = await recordFilter(memoryDevice(await readFile(base)));
  await using upper = await openPath(overlay, directory.path(''));
  await using lower = await openPath(base, directory.path(''));
  const content = mergedContent(upper, await ownRanges(overlay, 'qcow2'), lower);
  const { backing } = lower.information();
  const backingSize = backing === undefined ? undefined : await sizeOf(directory.path(backing.name), directory);
  const staged = await stageQcow2(recorder, content, { name: 'base', backingSize, mayReuse: true });
  await staged.apply();
  await staged.release();
  return recorder;
}

/** Every cut, with what was not synced there, gone, and there in part; of many cuts some. */
function* cuts({ events }: RecordingDevice): Generator<[count: number, options: ReplayOptions]> {
  const step = Math.max(1, Math.floor(events.length / 12));
  for (let count = 0; count <= events.length; count += count > events.length - 9 ? 1 : step) {
    yield [count, {}];
    yield [count, { dropUnsynced: true }];
    yield [count, { reorderSeed: count + 1 }];
  }
}

async function contentInside(image: Uint8Array, directory: ImageDirectory): Promise<Uint8Array> {
  const openBacking = async (name: string): Promise<BlockDevice> => await openPath(directory.path(name));
  await using disk = await openImage(memoryDevice(image), { name: 'cut', openBacking });
  return await contentOf(disk);
}

/** Whether `qemu-img check` finds leaks; anything worse fails. */
async function onlyLeaks(path: string): Promise<boolean> {
  const failed = await promisify(execFile)('qemu-img', ['check', path]).then(
    () => undefined,
    (error) => error as { code: number; stdout: string; stderr: string },
  );
  assert.ok(failed === undefined || failed.code === 3, `${failed?.stdout}${failed?.stderr}`);
  return failed !== undefined;
}

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openFileDevice } from '../../src/block/file-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import type { ExpectedFile } from '../../src/conformance/file-system-sample.ts';
import { nodesOf } from '../../src/conformance/file-system-walk.ts';
import { openVolume } from '../../src/guest/guest-volume.ts';
import { findGuestVolumes } from '../../src/guest/volume-tree.ts';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../filesystem/sample-tree.ts';
import { runVarve } from '../guest/run-varve.ts';
import { makePartitionedDisk, sfdiskTable } from '../partition/sfdisk.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('mkfs.btrfs', 'btrfs', 'sfdisk', 'setfattr', 'setfacl') || whyNoMount('btrfs');
const mebibyte = 2 ** 20;
const partitionLength = 160 * mebibyte;

/** A disk whose partitions are the devices of one Btrfs. */
class SpreadDisk {
  readonly path: string;
  readonly #mount: string;
  readonly #count: number;

  constructor(directory: string, count: number) {
    [this.path, this.#mount] = [join(directory, 'disk.raw'), join(directory, 'mount')];
    this.#count = count;
    fs.mkdirSync(this.#mount);
  }

  async make(options: readonly string[]): Promise<void> {
    const script = ['label: gpt', ...Array.from({ length: this.#count }, () => `size=${partitionLength / 512}`)];
    await makePartitionedDisk(this.path, (this.#count * 160 + 4) * mebibyte, script.join('\n'));
    await this.#withLoops(async (loops) => void (await run('mkfs.btrfs', ['-q', '-f', ...options, ...loops])));
  }

  /** Mounts the file system, of `numbers` of its devices where not all are to be there. */
  async fill(change: (directory: string) => Promise<void> | void, numbers?: readonly number[]): Promise<void> {
    await this.#withLoops(async (all) => {
      const loops = numbers === undefined ? all : numbers.map((number) => all[number - 1]!);
      const others = loops.map((loop) => `device=${loop}`);
      const degraded = numbers === undefined ? [] : ['degraded'];
      await run('mount', ['-t', 'btrfs', '-o', [...others, ...degraded].join(','), loops[0]!, this.#mount]);
      try {
        await change(this.#mount);
      } finally {
        await run('umount', [this.#mount]);
      }
    }, numbers);
  }

  /** Loses a partition: its superblocks are zeros then. */
  async lose(number: number): Promise<void> {
    const start = await this.#startOf(number);
    const file = fs.openSync(this.path, 'r+');
    for (const place of [2 ** 16, 2 ** 26]) fs.writeSync(file, new Uint8Array(4096), 0, 4096, start + place);
    fs.closeSync(file);
  }

  async #startOf(number: number): Promise<number> {
    const { partitions = [] } = await sfdiskTable(this.path);
    return partitions[number - 1]!.start * 512;
  }

  async #withLoops(use: (loops: readonly string[]) => Promise<void>, numbers?: readonly number[]): Promise<void> {
    const loops: string[] = [];
    try {
      for (let number = 1; number <= this.#count; number++) {
        const isThere = numbers?.includes(number) ?? true;
        const place = ['--offset', String(await this.#startOf(number)), '--sizelimit', String(partitionLength)];
        loops.push(isThere ? (await run('losetup', ['--find', '--show', ...place, this.path])).trim() : '');
      }
      await use(loops);
    } finally {
      for (const loop of loops) if (loop !== '') await run('losetup', ['--detach', loop]);
      // Who remembers devices that are gone would find them in those that come after.
      await run('btrfs', ['device', 'scan', '--forget']).catch(() => {});
    }
  }
}

async function newDisk(t: TestContext, count: number): Promise<SpreadDisk> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  return new SpreadDisk(directory, count);
}

async function fillWithFiles(directory: string): Promise<readonly ExpectedFile[]> {
  await makeSampleTree(directory, { unix: true, holes: true, attributes: true, manyFiles: 60 });
  for (let index = 0; index < 12; index++)
    fs.writeFileSync(join(directory, `large ${index}`), pattern(4_000_000, index));
  fs.writeFileSync(join(directory, 'etc', 'hostname'), 'spread\n');
  await run('sync', ['-f', directory]);
  return expectedTree(directory, { unix: true, times: true });
}

/** What is read of the file system, from each of the volumes that hold a part of it. */
async function checkFiles(path: string, files: readonly ExpectedFile[], volumeCount: number): Promise<void> {
  await using device = await openFileDevice(path, { readOnly: true });
  const volumes = (await findGuestVolumes(device, { name: 'disk' })).filter(
    ({ identity }) => identity?.type === 'btrfs',
  );
  assert.equal(volumes.length, volumeCount);
  for (const volume of volumes) {
    await using fileSystem = await openVolume(volume, 'disk');
    assert.ok(fileSystem !== undefined);
    const found = await nodesOf(fileSystem);
    const pathOf = ({ path: each }: ExpectedFile) => Buffer.from(each).toString('latin1');
    assert.deepEqual([...found.keys()].sort(), files.map(pathOf).sort());
    for (const file of files) {
      if (file.content === undefined) continue;
      const content = Buffer.alloc(file.content.length);
      await fileSystem.read(found.get(pathOf(file))!, content, 0);
      assert.ok(content.equals(file.content), `${volume.name}: ${pathOf(file)}`);
    }
  }
}

describe('a Btrfs on several partitions of a disk', { skip }, () => {
  for (const [data, metadata, count] of [
    ['single', 'raid1', 2],
    ['raid0', 'raid0', 2],
    ['raid1', 'raid1', 2],
    ['raid1c3', 'raid1c3', 3],
    ['raid10', 'raid10', 4],
  ] as const) {
    test(`is read, data ${data} and metadata ${metadata}, from any of them`, async (t) => {
      const disk = await newDisk(t, count);
      await disk.make(['-d', data, '-m', metadata]);
      let files: readonly ExpectedFile[] = [];
      await disk.fill(async (directory) => {
        files = await fillWithFiles(directory);
      });
      await checkFiles(disk.path, files, count);
      assert.equal(await runVarve('/nowhere', 'cat', `${disk.path}:/etc/hostname`), 'spread\n');
      await disk.lose(2);
      if (data.startsWith('raid1')) return await checkFiles(disk.path, files, count - 1);
      await assert.rejects(checkFiles(disk.path, files, count - 1), { code: 'UNSUPPORTED' });
    });
  }

  test('that was used without one of them for a while is read as it is in the others', async (t) => {
    const disk = await newDisk(t, 2);
    await disk.make(['-d', 'raid1', '-m', 'raid1']);
    let files: readonly ExpectedFile[] = [];
    await disk.fill(async (directory) => void (await fillWithFiles(directory)));
    const changed = async (directory: string) => {
      fs.rmSync(join(directory, 'many'), { recursive: true });
      for (let index = 0; index < 6; index++)
        fs.writeFileSync(join(directory, `large ${index}`), pattern(900_000, 77 + index));
      await run('sync', ['-f', directory]);
      files = expectedTree(directory, { unix: true, times: true });
    };
    await disk.fill(changed, [2]);
    await checkFiles(disk.path, files, 2);
  });
});

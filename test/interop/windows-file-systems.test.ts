import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { nodesOf } from '../../src/conformance/file-system-walk.ts';
import { exfat } from '../../src/filesystem/exfat/exfat.ts';
import type { FileSystem, FileSystemDriver } from '../../src/filesystem/file-system.ts';
import { ntfs } from '../../src/filesystem/ntfs/ntfs.ts';
import { Workplace } from '../command/varve.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { expectedOfBlkid, skipSamples, unpackedSample } from './blkid-sample.ts';
import { skipWithout } from './require-tool.ts';

const mebibyte = 2 ** 20;
const skip = skipWithout('mkntfs', 'ntfs-3g', 'mkfs.exfat', 'mount.exfat-fuse', 'fls') || whyNoMount('fuseblk');
/** A real tree, of a thousand files and more. */
const tree = fileURLToPath(new URL('../../src', import.meta.url));

/** A kind of file system, who makes and fills it, and who says whether it is in order. */
interface Kind {
  readonly driver: FileSystemDriver;
  readonly make: readonly string[];
  readonly mount: string;
  readonly checks: readonly (readonly string[])[];
}

const kinds: Readonly<Record<string, Kind>> = {
  NTFS: {
    driver: ntfs,
    make: ['mkntfs', '-q', '-Q', '-F'],
    mount: 'ntfs-3g',
    checks: [
      ['ntfsfix', '-n'],
      ['ntfsresize', '--info', '--force'],
    ],
  },
  exFAT: { driver: exfat, make: ['mkfs.exfat'], mount: 'exfat-fuse', checks: [['fsck.exfat', '-n']] },
};

interface Made {
  readonly place: Workplace;
  readonly disk: string;
  /** What is on it: the hash of each file, by path, in order. */
  readonly hashes: readonly [path: string, hash: string][];
}

/** A disk with a real tree, of which 20 MiB were written and deleted. */
async function makeDisk(t: TestContext, { make, mount }: Kind): Promise<Made> {
  const place = new Workplace(t);
  const disk = join(place.directory, 'disk.raw');
  const copy = join(place.directory, 'src');
  fs.cpSync(tree, copy, { recursive: true });
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 96 * mebibyte);
  await run(make[0]!, [...make.slice(1), disk]);
  const fill = async (directory: string) => {
    fs.writeFileSync(join(directory, 'deleted'), Buffer.alloc(20 * mebibyte, 'x'));
    fs.cpSync(copy, join(directory, 'src'), { recursive: true });
    await run('sync', ['-f', directory]);
    fs.rmSync(join(directory, 'deleted'));
  };
  await fillMounted(disk, fill, { type: mount });
  return { place, disk, hashes: hashesBelow(copy) };
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The hash of each file below the root, by path, in order. */
async function hashesIn(driver: FileSystemDriver, disk: string): Promise<[path: string, hash: string][]> {
  await using fileSystem = await driver.open(memoryDevice(fs.readFileSync(disk)), { name: 'disk' });
  const hashes: [path: string, hash: string][] = [];
  for (const [path, node] of await nodesOf(fileSystem)) {
    const { kind, size } = await fileSystem.stat(node);
    if (kind !== 'file') continue;
    const content = new Uint8Array(size);
    await fileSystem.read(node, content, 0);
    hashes.push([path, hash(content)]);
  }
  return hashes.sort(byPath);
}

function hashesBelow(directory: string): [path: string, hash: string][] {
  const hashes: [path: string, hash: string][] = [];
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name);
    if (fs.statSync(path).isFile()) hashes.push([`src/${name}`, hash(fs.readFileSync(path))]);
  }
  return hashes.sort(byPath);
}

const byPath = ([one]: readonly [string, string], [other]: readonly [string, string]) => (one < other ? -1 : 1);

/** What sleuthkit finds, by path: where it says that a file is. */
async function listedBySleuthkit(disk: string): Promise<Map<string, string>> {
  const lines = (await run('fls', ['-r', '-F', '-p', '-u', disk])).split('\n');
  const files = lines.map((line) => /^r\/r ([\d-]+):\t([^$].*)$/.exec(line)).filter((match) => match !== null);
  return new Map(files.map(([, address, path]) => [path!, address!] as const).filter(([path]) => !/\$|\(/.test(path)));
}

for (const [name, kind] of Object.entries(kinds)) {
  describe(`${name} with a real tree`, { skip }, () => {
    test('is read as sleuthkit reads it, file by file', async (t) => {
      const { disk, hashes } = await makeDisk(t, kind);
      const found = await hashesIn(kind.driver, disk);
      assert.deepEqual(found, hashes);
      const listed = await listedBySleuthkit(disk);
      assert.deepEqual([...listed.keys()].sort(), found.map(([path]) => path).sort());
      for (const [path, sum] of found.filter((_, index) => index % 50 === 0)) {
        const content = execFileSync('icat', [disk, listed.get(path)!], { maxBuffer: 64 * mebibyte });
        assert.equal(hash(content), sum, path);
      }
    });

    test('is sparsified, and in order after it', async (t) => {
      const { place, disk, hashes } = await makeDisk(t, kind);
      const stored = () => (fs.statSync(disk).blocks * 512) / mebibyte;
      const before = stored();
      assert.ok(before > 24);
      await place.varve('sparsify', '--in-place', './disk.raw');
      assert.ok(stored() < before - 18, `${stored()} MiB of ${before}`);
      for (const [program, ...args] of kind.checks) await run(program!, [...args, disk]);
      assert.deepEqual(await hashesIn(kind.driver, disk), hashes);
    });
  });
}

describe('NTFS', { skip: skip || skipWithout('ntfscat', 'ntfsinfo') }, () => {
  test('has what ntfscat and ntfsinfo tell of it', async (t) => {
    const { disk } = await makeDisk(t, kinds.NTFS!);
    await using fileSystem = await ntfs.open(memoryDevice(fs.readFileSync(disk)), { name: 'disk' });
    const free = Number(/Free Clusters: (\d+)/.exec(await run('ntfsinfo', ['-m', disk]))![1]);
    assert.equal((await fileSystem.usage()).free, free * fileSystem.identity.blockSize);
    for (const path of ['src/index.ts', 'src/base/size.ts', 'src/filesystem/ntfs/ntfs.ts']) {
      let node = fileSystem.root;
      for (const part of path.split('/')) node = (await fileSystem.lookup(node, Buffer.from(part)))!;
      const content = new Uint8Array((await fileSystem.stat(node)).size);
      await fileSystem.read(node, content, 0);
      assert.equal(hash(content), hash(execFileSync('ntfscat', ['-i', `${node}`, disk])), path);
    }
  });
});

describe("util-linux's samples that Windows made", { skip: skipSamples || skipWithout('fls') }, () => {
  const openSample = async (name: string): Promise<FileSystem> => {
    const bytes = await unpackedSample('fs', name);
    return await kinds[name === 'ntfs' ? 'NTFS' : 'exFAT']!.driver.open(memoryDevice(bytes), { name });
  };

  for (const name of ['ntfs', 'exfat']) {
    test(`${name} is called what blkid calls it, and is in order`, async () => {
      await using fileSystem = await openSample(name);
      const expected = await expectedOfBlkid(`low-probe-${name}`);
      const wanted = (key: string) => new RegExp(`^ID_FS_${key}=(.*)$`, 'm').exec(expected)![1]!;
      const { type, label, uuid } = fileSystem.identity;
      assert.deepEqual([type, uuid], [wanted('TYPE'), wanted('UUID')]);
      assert.equal(label!.replaceAll(' ', '_'), wanted('LABEL'));
      assert.ok(fileSystem.isClean);
    });
  }

  test('the files of exfat are there', async () => {
    await using fileSystem = await openSample('exfat');
    const names = [...(await nodesOf(fileSystem)).keys()];
    const numbered = Array.from({ length: 100 }, (_, index) => `test.${`${index}`.padStart(2, '0')}`);
    assert.deepEqual(names.sort(), numbered);
  });
});

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { damagedWithChecksums } from '../../../test/filesystem/btrfs-damage.ts';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { makeSyncedChanges } from '../../../test/filesystem/synced-changes.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import { pattern } from '../../conformance/device-content.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import { testFileSystemDamage } from '../../conformance/file-system-damage.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { nodesOf } from '../../conformance/file-system-walk.ts';
import type { FileSystem } from '../file-system.ts';
import { btrfs } from './btrfs.ts';

const skip = skipWithout('mkfs.btrfs', 'btrfs', 'setfattr', 'setfacl');
const skipMounted = skip || whyNoMount('btrfs');
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const mebibyte = 2 ** 20;

async function makeBtrfs(image: string, args: readonly string[]): Promise<void> {
  await run('mkfs.btrfs', ['-q', '-f', ...args, image]);
}

/** How an image is made. */
interface ImageOptions {
  readonly size?: number;
  readonly make?: readonly string[];
  /** For `mount -o`, after `loop`. */
  readonly mount?: string;
  /** Runs when it is unmounted. */
  readonly after?: (image: string) => Promise<void>;
}

type Fill = (directory: string, image: string) => Promise<void> | void;

/** An image that the kernel filled. */
async function mountedImage(
  { size = 128 * mebibyte, make = [], mount, after }: ImageOptions,
  fill: Fill,
): Promise<() => MemoryDevice> {
  return await sampleImage(size, async (image) => {
    await makeBtrfs(image, make);
    const options = mount === undefined ? 'loop' : `loop,${mount}`;
    await fillMounted(image, (directory) => fill(directory, image), { options });
    await after?.(image);
  });
}

/** Opens what `fill` leaves on a disk. */
async function withBtrfs(
  options: ImageOptions,
  fill: Fill,
  check: (fileSystem: FileSystem, device: MemoryDevice) => Promise<void>,
): Promise<void> {
  await using device = (await mountedImage(options, fill))();
  await using fileSystem = await btrfs.open(device, { name: 'sample' });
  await check(fileSystem, device);
}

/** Behind anything that is the same, names with these have one hash: a CRC says what differs. */
const sameHash = ['aojtmd', '2nuh3b'];

/** What Btrfs keeps in its own ways. */
async function makeOthers(directory: string): Promise<void> {
  await run('fallocate', ['-l', '3000000', join(directory, 'preallocated')]);
  await run('cp', ['--reflink=auto', join(directory, 'file of 1500000 bytes'), join(directory, 'shared')]);
  for (const [name, seconds] of [
    ['1901', -2_147_483_648],
    ['1969', -1.5],
    ['2039', 2_200_000_000.25],
    ['2400', 13_569_465_600],
  ] as const) {
    fs.writeFileSync(join(directory, name), name);
    fs.utimesSync(join(directory, name), seconds, seconds);
  }
  for (const name of sameHash) fs.writeFileSync(join(directory, name), `of ${name}`);
  fs.writeFileSync(join(directory, 'text'), text(60_000));
  fs.writeFileSync(join(directory, 'short text'), text(200));
}

/** Lines that take much less space when they are packed. */
function text(lineCount: number): string {
  return Array.from({ length: lineCount }, (_, index) => `line ${index % 977}\n`).join('');
}

/** A file system that the kernel filled. */
async function mountedSample(options: ImageOptions): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await mountedImage(options, async (directory) => {
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: true };
    await makeSampleTree(directory, { ...all, manyFiles: 300 });
    await makeOthers(directory);
    files = expectedTree(directory, { unix: true, times: true });
  });
  return { driver: btrfs, open, files, structures: { offset: 65_536, length: 4096 } };
}

/** A file system that mkfs.btrfs filled: without hard links, which it makes files of their own. */
async function plainSample(make: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(128 * mebibyte, async (image, directory) => {
    await makeSampleTree(directory, { unix: true, anyBytes: true, manyFiles: 200 });
    for (const other of ['third name', 'etc/second name']) fs.rmSync(join(directory, other));
    files = expectedTree(directory, { unix: true, times: false });
    await makeBtrfs(image, ['--rootdir', directory, ...make]);
  });
  return { driver: btrfs, open, files, structures: { offset: 65_536, length: 4096 } };
}

testFileSystem('btrfs of the kernel', () => mountedSample({ mount: 'compress=zstd' }), skipMounted);
testFileSystem(
  'btrfs of mkfs, with data and metadata in one, small nodes and holes',
  () => plainSample(['--mixed', '-n', '4096', '-O', '^no-holes', '--csum', 'xxhash']),
  skip,
);

describe('btrfs whose structures are damaged, and have checksums that fit', { skip: skipMounted }, () => {
  let made: Promise<FileSystemSample> | undefined;
  const damaged = async (): Promise<FileSystemSample> => {
    const open = await mountedImage(
      {
        ...{ make: ['-m', 'single', '-n', '4096'], mount: 'compress=zstd,commit=1000' },
        after: async (image) => fs.promises.rename(`${image} in use`, image),
      },
      async (directory, image) => {
        await makeSampleTree(directory, { unix: true, holes: true, attributes: true, manyFiles: 100 });
        await makeOthers(directory);
        await run('btrfs', ['-q', 'subvolume', 'snapshot', directory, join(directory, 'snapshot')]);
        await makeSyncedChanges(directory, { seed: 1, count: 20 });
        fs.copyFileSync(image, `${image} in use`);
      },
    );
    return { driver: btrfs, open: () => damagedWithChecksums(open()), files: [] };
  };
  testFileSystemDamage(() => (made ??= damaged()));
});

async function find(fileSystem: FileSystem, path: string): Promise<number> {
  let node: number | undefined = fileSystem.root;
  for (const name of path.split('/')) {
    node = node === undefined ? undefined : await fileSystem.lookup(node, Buffer.from(name));
  }
  assert.ok(node !== undefined, `there is no ${path}`);
  return node;
}

async function contentOf(fileSystem: FileSystem, path: string): Promise<Buffer> {
  const node = await find(fileSystem, path);
  const content = Buffer.alloc((await fileSystem.stat(node)).size);
  assert.equal(await fileSystem.read(node, content, 0), content.length);
  return content;
}

async function namesIn(fileSystem: FileSystem, node = fileSystem.root): Promise<string[]> {
  const entries = await Array.fromAsync(fileSystem.readDirectory(node));
  return entries.map(({ name }) => `${Buffer.from(name)}`).sort();
}

async function checkTree(fileSystem: FileSystem, files: readonly ExpectedFile[]): Promise<void> {
  const found = await nodesOf(fileSystem);
  const pathOf = ({ path }: ExpectedFile) => Buffer.from(path).toString('latin1');
  assert.deepEqual([...found.keys()].sort(), files.map(pathOf).sort());
  for (const file of files) {
    const node = found.get(pathOf(file))!;
    const stat = await fileSystem.stat(node);
    assert.equal(stat.kind, file.kind);
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

/** Turns a byte over. */
function damage(device: MemoryDevice, place: number): void {
  const byte = Buffer.alloc(1);
  device.read(byte, place);
  device.write(Uint8Array.of(byte[0]! ^ 0xff), place);
}

describe('btrfs of the kernel', { skip: skipMounted }, () => {
  for (const compression of ['zlib', 'lzo', 'zstd']) {
    test(`files that are packed by ${compression}, also in the tree, and read in parts`, async () => {
      const content = Buffer.from(text(100_000));
      await withBtrfs(
        { mount: `compress-force=${compression}` },
        async (directory) => {
          fs.writeFileSync(join(directory, 'text'), content);
          fs.writeFileSync(join(directory, 'short'), content.subarray(0, 1500));
          fs.writeFileSync(join(directory, 'noise'), pattern(500_001, 3));
          await run('sync', ['-f', directory]);
          // A part of a packed piece stays in use when its middle is written anew.
          const file = fs.openSync(join(directory, 'text'), 'r+');
          fs.writeSync(file, content, 200_000, 8192, 200_000);
          fs.closeSync(file);
        },
        async (fileSystem) => {
          const node = await find(fileSystem, 'text');
          assert.ok((await contentOf(fileSystem, 'text')).equals(content));
          assert.ok((await contentOf(fileSystem, 'short')).equals(content.subarray(0, 1500)));
          assert.ok((await contentOf(fileSystem, 'noise')).equals(pattern(500_001, 3)));
          const part = Buffer.alloc(1000);
          await fileSystem.read(node, part, 199_500);
          assert.ok(part.equals(content.subarray(199_500, 200_500)));
          for await (const { place, kind } of fileSystem.extents(node)) {
            assert.deepEqual([place, kind], [undefined, 'data']);
          }
        },
      );
    });
  }

  for (const checksum of ['crc32c', 'xxhash', 'sha256', 'blake2']) {
    test(`data and metadata are checked by ${checksum}, and a good copy is read where there is one`, async () => {
      const content = pattern(300_000, 5);
      const make = ['--csum', checksum, '-d', 'dup', '-m', 'dup'];
      const open = await mountedImage({ make, size: 256 * mebibyte }, (directory) => {
        fs.writeFileSync(join(directory, 'file'), content);
        fs.writeFileSync(join(directory, 'short'), 'in the tree');
      });
      await using device = open();
      const copies = [...placesOf(device, content.subarray(8192, 12_288)), -1];
      assert.equal(copies.length, 3);
      for (const [index, place] of copies.entries()) {
        await using fileSystem = await btrfs.open(device, { name: 'sample' });
        const reading = contentOf(fileSystem, 'file');
        if (index < 2) assert.ok((await reading).equals(content));
        else
          await assert.rejects(reading, { code: 'CORRUPT', message: /inode 257 of tree 5 does not fit its checksum/ });
        if (place >= 0) damage(device, place + 100);
      }
      // Each copy is in a stripe of its own, with those of earlier generations.
      const places = placesOf(device, Buffer.from('in the tree'));
      for (const place of places.slice(0, places.length / 2)) damage(device, place);
      await using fileSystem = await btrfs.open(device, { name: 'sample' });
      assert.equal(`${await contentOf(fileSystem, 'short')}`, 'in the tree');
      for (const place of places.slice(places.length / 2)) damage(device, place);
      const message = /tree 5.*does not fit its checksum/;
      await assert.rejects(btrfs.open(device, { name: 'sample' }), { code: 'CORRUPT', message });
    });
  }

  test('subvolumes are directories, whose inodes are files of their own', async () => {
    await withBtrfs(
      {},
      async (directory) => {
        const at = (name: string) => join(directory, name);
        await run('btrfs', ['-q', 'subvolume', 'create', at('one')]);
        fs.writeFileSync(at('one/file'), 'first');
        await run('btrfs', ['-q', 'subvolume', 'create', at('one/inner')]);
        fs.writeFileSync(at('one/inner/deep'), 'deep');
        fs.mkdirSync(at('snapshots'));
        await run('btrfs', ['-q', 'subvolume', 'snapshot', '-r', at('one'), at('snapshots/of one')]);
        fs.writeFileSync(at('one/file'), 'second');
      },
      async (fileSystem) => {
        assert.equal(`${await contentOf(fileSystem, 'one/file')}`, 'second');
        assert.equal(`${await contentOf(fileSystem, 'snapshots/of one/file')}`, 'first');
        assert.equal(`${await contentOf(fileSystem, 'one/inner/deep')}`, 'deep');
        const nodes = await nodesOf(fileSystem);
        assert.equal(new Set(nodes.values()).size, nodes.size);
        const [one, snapshot] = [nodes.get('one/file')!, nodes.get('snapshots/of one/file')!];
        assert.equal((await fileSystem.stat(one)).inode, (await fileSystem.stat(snapshot)).inode);
        // A snapshot has no subvolumes in it, and their names are those of empty directories.
        const inner = nodes.get('snapshots/of one/inner')!;
        const { kind, inode, mode } = await fileSystem.stat(inner);
        assert.deepEqual([kind, inode, mode], ['directory', 2, 0o755]);
        assert.deepEqual(await namesIn(fileSystem, inner), []);
        assert.equal(await fileSystem.lookup(inner, Buffer.from('deep')), undefined);
        assert.deepEqual(await fileSystem.extendedAttributes(inner), new Map());
        const subvolumes = await Array.fromAsync(fileSystem.subvolumes!());
        assert.deepEqual(
          subvolumes.map(({ path }) => path),
          ['', 'one', 'snapshots/of one', 'one/inner'],
        );
        for (const { id, path } of subvolumes) {
          for (const which of [{ id }, { path }, { path: `/${path}/` }, { id, path }]) {
            const same = await fileSystem.subvolume!(which);
            assert.equal(same?.root, path === '' ? fileSystem.root : nodes.get(path), JSON.stringify(which));
          }
        }
        for (const which of [{ path: 'none' }, { id: 4 }, { id: 999 }, { path: 'one', id: 5 }]) {
          assert.equal(await fileSystem.subvolume!(which), undefined);
        }
      },
    );
  });

  test('attributes of all sizes, some with names of one hash, and ACLs are as the kernel hands them out', async () => {
    const attributes = new Map<string, string>([['user.empty', '']]);
    for (let index = 1; index < 40; index++) attributes.set(`user.attribute ${index}`, 'v'.repeat(index * 60));
    for (const name of sameHash) attributes.set(`user.${name}`, `of ${name}`);
    const lists = new Map<string, string>();
    await withBtrfs(
      {},
      async (directory) => {
        const file = join(directory, 'file');
        fs.writeFileSync(file, 'content');
        for (const [name, value] of attributes) await run('setfattr', ['-n', name, '-v', value, file]);
        fs.mkdirSync(join(directory, 'd'));
        await run('setfacl', ['-m', 'u:1000:rw,g:50:r,m:rx', join(directory, 'd')]);
        await run('setfacl', ['-d', '-m', 'u:77:rwx', join(directory, 'd')]);
        for (const name of ['system.posix_acl_access', 'system.posix_acl_default']) {
          const printed = await run('getfattr', ['-n', name, '-e', 'hex', '--absolute-names', join(directory, 'd')]);
          lists.set(name, printed.match(/=0x([0-9a-f]+)/)![1]!);
        }
      },
      async (fileSystem) => {
        const found = await fileSystem.extendedAttributes(await find(fileSystem, 'file'));
        assert.deepEqual(new Map([...found].map(([name, value]) => [name, `${Buffer.from(value)}`])), attributes);
        const listed = await fileSystem.extendedAttributes(await find(fileSystem, 'd'));
        assert.deepEqual(
          new Map([...listed].map(([name, value]) => [name, Buffer.from(value).toString('hex')])),
          lists,
        );
      },
    );
  });

  test('the default subvolume is the root', async () => {
    await withBtrfs(
      {},
      async (directory) => {
        await run('btrfs', ['-q', 'subvolume', 'create', join(directory, '@')]);
        await run('btrfs', ['-q', 'subvolume', 'create', join(directory, 'home')]);
        fs.writeFileSync(join(directory, '@/file'), '');
        await run('btrfs', ['subvolume', 'set-default', join(directory, '@')]);
      },
      async (fileSystem) => {
        assert.deepEqual(await namesIn(fileSystem), ['file']);
        const top = await fileSystem.subvolume!({ id: 5 });
        assert.deepEqual(await namesIn(top!), ['@', 'home']);
      },
    );
  });

  test('a directory of 65,536 names, from which a third is gone', async () => {
    const count = 65_536;
    await withBtrfs(
      { size: 256 * mebibyte },
      (directory) => {
        fs.writeFileSync(join(directory, 'target'), 'of all');
        fs.mkdirSync(join(directory, 'many'));
        let target = join(directory, 'target');
        for (let index = 0; index < count; index++) {
          // No inode has more names than that.
          if (index === 59_999) {
            target = join(directory, 'other');
            fs.writeFileSync(target, 'of some');
          }
          fs.linkSync(target, join(directory, 'many', `name ${index}`));
        }
        for (let index = 0; index < count; index += 3) fs.unlinkSync(join(directory, 'many', `name ${index}`));
      },
      async (fileSystem) => {
        const node = await find(fileSystem, 'many');
        const wanted = Array.from({ length: count }, (_, index) => index).filter((index) => index % 3 !== 0);
        assert.deepEqual(await namesIn(fileSystem, node), wanted.map((index) => `name ${index}`).sort());
        const target = await find(fileSystem, 'target');
        for (let index = 0; index < count; index += 97) {
          const found = await fileSystem.lookup(node, Buffer.from(`name ${index}`));
          const right = index < 59_999 ? target : await find(fileSystem, 'other');
          assert.equal(found, index % 3 === 0 ? undefined : right, `name ${index}`);
        }
      },
    );
  });

  test('what fstrim gives back is free, and btrfs check finds nothing when it is overwritten', async () => {
    const open = await mountedImage({}, async (directory) => {
      for (let index = 0; index < 400; index++) fs.writeFileSync(join(directory, `${index}`), pattern(20_000, index));
      await run('sync', ['-f', directory]);
      for (let index = 0; index < 400; index += 2) fs.rmSync(join(directory, `${index}`));
    });
    await using device = open();
    await using fileSystem = await btrfs.open(device, { name: 'sample' });
    const ranges = await Array.fromAsync(fileSystem.freeRanges());
    assert.ok(ranges.length > 100, `${ranges.length} ranges`);
    let trimmed = '';
    await sampleImage(device.size, async (image) => {
      const bytes = Buffer.alloc(device.size);
      device.read(bytes, 0);
      for (const { offset, length } of ranges) bytes.fill(0xa5, offset, offset + length);
      fs.writeFileSync(image, bytes);
      await run('btrfs', ['check', '--check-data-csum', image]);
      const trim = async (directory: string) => {
        trimmed = await run('fstrim', ['-v', directory]);
      };
      await fillMounted(image, trim);
    });
    const total = ranges.reduce((sum, { length }) => sum + length, 0);
    assert.match(trimmed, new RegExp(`\\(${total} bytes\\)`));
  });

  for (const [what, make, mount] of [
    ['its files whole', [], 'commit=1000'],
    ['holes in the tree', ['-O', '^no-holes', '-n', '4096'], 'commit=1000,compress=zstd'],
  ] as const) {
    test(`what was synced after the last commit is read from the log, and the disk is not clean (${what})`, async (t) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      t.diagnostic(`seed ${seed}`);
      let recovered: ExpectedFile[] = [];
      const open = await sampleImage(128 * mebibyte, async (image) => {
        await makeBtrfs(image, make);
        const copies = [`${image} in use`, `${image} recovered`] as const;
        const change = async (directory: string) => {
          await makeSyncedChanges(directory, { seed, count: 30 });
          // Something is in the log, whatever was last.
          const file = fs.openSync(join(directory, 'last'), 'w');
          fs.fsyncSync(file);
          fs.closeSync(file);
          for (const copy of copies) fs.copyFileSync(image, copy);
        };
        await fillMounted(image, change, { options: `loop,${mount}` });
        await fillMounted(copies[1], (directory) => {
          recovered = expectedTree(directory, { unix: true, times: true });
        });
        fs.renameSync(copies[0], image);
      });
      await using device = open();
      await using fileSystem = await btrfs.open(device, { name: 'sample' });
      assert.ok(!fileSystem.isClean);
      await checkTree(fileSystem, recovered);
    });
  }

  test('data that was synced after the last commit is checked, too', async () => {
    const content = pattern(100_000, 8);
    const open = await mountedImage(
      { mount: 'commit=1000', after: async (image) => fs.promises.rename(`${image} in use`, image) },
      (directory, image) => {
        const file = fs.openSync(join(directory, 'file'), 'w');
        fs.writeSync(file, content);
        fs.fsyncSync(file);
        fs.closeSync(file);
        fs.copyFileSync(image, `${image} in use`);
      },
    );
    await using device = open();
    await using fileSystem = await btrfs.open(device, { name: 'sample' });
    assert.ok((await contentOf(fileSystem, 'file')).equals(content));
    for (const place of placesOf(device, content.subarray(8192, 12_288))) damage(device, place);
    await assert.rejects(contentOf(fileSystem, 'file'), { code: 'CORRUPT', message: /does not fit its checksum/ });
  });
});

/** Where some bytes are on a device, at the starts of sectors or anywhere in the first of them that hold short ones. */
function placesOf(device: MemoryDevice, wanted: Uint8Array): number[] {
  const places: number[] = [];
  for (const run of device.extents(0, device.size)) {
    if (run.kind !== 'data') continue;
    const bytes = Buffer.alloc(run.length);
    device.read(bytes, run.offset);
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) places.push(run.offset + at);
  }
  return places;
}

describe('btrfs', { skip }, () => {
  const empty = (args: readonly string[]) => sampleImage(128 * mebibyte, (image) => makeBtrfs(image, args));

  test('is clean when it was made, and has no files', async () => {
    for (const args of [
      [],
      ['-n', '65536'],
      ['--mixed'],
      ['-O', '^skinny-metadata,^extref', '-R', '^free-space-tree'],
    ]) {
      await using device = (await empty(args))();
      await using fileSystem = await btrfs.open(device, { name: 'sample' });
      assert.ok(fileSystem.isClean, `${args}`);
      assert.deepEqual(await namesIn(fileSystem), []);
      const { size, free } = await fileSystem.usage();
      assert.ok(free > size / 2 && free < size);
    }
  });

  test('says what it is, as blkid does', async () => {
    await using device = (await empty(['-U', uuid, '-L', 'a label with spaces']))();
    const { type, label, uuid: found, size, blockSize } = (await btrfs.identify(device))!;
    assert.deepEqual([type, label, found], ['btrfs', 'a label with spaces', uuid]);
    assert.deepEqual([size, blockSize], [128 * mebibyte, 4096]);
  });

  test('a UUID that was changed leaves the metadata readable', async () => {
    const open = await sampleImage(128 * mebibyte, async (image) => {
      await makeBtrfs(image, []);
      await run('btrfstune', ['-M', uuid, image]);
    });
    await using device = open();
    await using fileSystem = await btrfs.open(device, { name: 'sample' });
    assert.equal(fileSystem.identity.uuid, uuid);
    assert.ok((await fileSystem.usage()).free > 0);
  });

  test('a damaged superblock is read from its copy, and nothing is called clean', async () => {
    await using device = (await empty(['-L', 'label']))();
    damage(device, 65_536 + 300);
    await using fileSystem = await btrfs.open(device, { name: 'sample' });
    assert.deepEqual([fileSystem.isClean, fileSystem.identity.label], [false, 'label']);
    damage(device, 64 * mebibyte + 300);
    await assert.rejects(btrfs.open(device, { name: 'sample' }), {
      code: 'CORRUPT',
      message: /does not fit its checksum/,
    });
    assert.equal(await btrfs.identify(device), undefined);
  });

  test('a disk that was made anew as something else is not taken for what it was', async () => {
    await using device = (await empty([]))();
    device.zero(65_536, 4096);
    assert.equal(await btrfs.identify(device), undefined);
  });

  test('features that change how it is read are refused by name', async () => {
    for (const [bit, name] of [
      [13, 'extent tree v2'],
      [14, 'a RAID stripe tree'],
      [20, 'feature bit 20'],
    ] as const) {
      await using device = (await empty([]))();
      const features = Buffer.alloc(4);
      device.read(features, 65_536 + 188);
      features.writeUInt32LE(features.readUInt32LE() | (1 << bit));
      device.write(features, 65_536 + 188);
      const superblock = Buffer.alloc(4096);
      device.read(superblock, 65_536);
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32c(superblock.subarray(32)));
      device.write(sum, 65_536);
      const message = new RegExp(`its Btrfs uses ${name}, unknown here`);
      await assert.rejects(btrfs.open(device, { name: 'sample' }), { code: 'UNSUPPORTED', message });
    }
  });

  test('one device of a mirror is read; of stripes, what is missing is named', async () => {
    for (const [profile, isWhole] of [
      ['raid1', true],
      ['raid0', false],
    ] as const) {
      const open = await sampleImage(256 * mebibyte, async (image, directory) => {
        await makeSampleTree(directory, { manyFiles: 10 });
        const other = `${image} other`;
        fs.writeFileSync(other, '');
        fs.truncateSync(other, 256 * mebibyte);
        await run('mkfs.btrfs', ['-q', '-f', '-d', profile, '-m', profile, other, image]);
      });
      await using device = open();
      const opening = btrfs.open(device, { name: 'sample' });
      if (isWhole) {
        await using fileSystem = await opening;
        assert.deepEqual([fileSystem.isClean, await namesIn(fileSystem)], [false, []]);
        assert.ok((await fileSystem.usage()).free > 0);
      } else {
        const message = /is in chunk \d+, which is RAID0 over the devices 1, 2, and this is device 2 alone/;
        await assert.rejects(opening, { code: 'UNSUPPORTED', message });
      }
    }
  });

  test('a zeroed disk, and one that only has the magic, are none', async () => {
    await using device = memoryDevice(new Uint8Array(mebibyte));
    assert.equal(await btrfs.identify(device), undefined);
    await device.write(Buffer.from('_BHRfS_M'), 65_600);
    assert.equal(await btrfs.identify(device), undefined);
    await assert.rejects(btrfs.open(device, { name: 'sample' }), { code: 'CORRUPT' });
  });
});

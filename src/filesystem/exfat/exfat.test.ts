import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { FileSystemSample } from '../../conformance/file-system-sample.ts';
import type { FileSystem } from '../file-system.ts';
import { exfat } from './exfat.ts';

const skipMounted = skipWithout('mkfs.exfat', 'fsck.exfat', 'dump.exfat', 'mount.exfat-fuse') || whyNoMount('fuseblk');
const mount = { type: 'exfat-fuse' };

/** An exFAT that mkfs.exfat made, filled through FUSE so that files lie among each other. */
async function exfatSample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image) => {
    await run('mkfs.exfat', ['-L', 'Größe 1', ...makeArguments, image]);
    const fill = async (directory: string) => {
      await makeSampleTree(directory, { manyFiles: 150, holes: false });
      growTogether(directory);
      fs.writeFileSync(join(directory, 'gone'), pattern(100_000, 1));
      fs.rmSync(join(directory, 'gone'));
      fs.writeFileSync(join(directory, `${'n'.repeat(250)}.long`), 'the longest name');
      files = expectedTree(directory, { unix: false, times: true });
    };
    await fillMounted(image, fill, mount);
  });
  return { driver: exfat, open, files, structures: { offset: 0, length: 500_000 } };
}

/** Files and directories whose clusters do not follow each other. */
function growTogether(directory: string): void {
  const at = (name: string, index: number) => join(directory, name, `${'x'.repeat(index % 40)}${index}`);
  for (const name of ['left', 'right']) fs.mkdirSync(join(directory, name));
  for (let index = 0; index < 40; index++) {
    for (const name of ['left', 'right']) fs.writeFileSync(at(name, index), `${name} ${index}`);
    for (const name of ['one in pieces', 'other in pieces'])
      fs.appendFileSync(join(directory, name), pattern(5000, index));
  }
}

testFileSystem('exFAT', () => exfatSample(16 << 20, ['-b', '32K']), skipMounted);
testFileSystem('exFAT in clusters of 512 bytes', () => exfatSample(16 << 20, ['-c', '512', '-b', '32K']), skipMounted);
testFileSystem('exFAT in clusters of 64 KiB', () => exfatSample(64 << 20, ['-c', '64K', '-b', '64K']), skipMounted);

/** Opens what `fill` leaves on a disk. */
async function withExfat(
  fill: (directory: string, image: string) => Promise<void> | void,
  check: (fileSystem: FileSystem, device: BlockDevice) => Promise<void>,
  judge: (image: string) => Promise<void> | void = () => {},
): Promise<void> {
  const open = await sampleImage(8 << 20, async (image) => {
    await run('mkfs.exfat', ['-L', 'LABEL', '-c', '512', '-b', '256K', image]);
    await fillMounted(image, (directory) => fill(directory, image), mount);
    await judge(image);
  });
  await using device = open();
  await using fileSystem = await exfat.open(device, { name: 'sample' });
  await check(fileSystem, device);
}

async function find(fileSystem: FileSystem, name: string): Promise<number> {
  return (await fileSystem.lookup(fileSystem.root, Buffer.from(name)))!;
}

/** Changes the entries of a file, whose node says where they are, and makes their checksum fit. */
async function editSet(device: BlockDevice, node: number, edit: (set: Buffer) => void): Promise<void> {
  const set = Buffer.alloc(3 * 32);
  await device.read(set, node * 32);
  edit(set);
  let sum = 0;
  set.forEach((byte, index) => {
    if (index !== 2 && index !== 3) sum = (((sum << 15) | (sum >> 1)) + byte) & 0xffff;
  });
  set.writeUInt16LE(sum, 2);
  await device.write(set, node * 32);
}

const corrupt = (message: RegExp) => ({ name: 'VarveError', code: 'CORRUPT', message });

describe('exFAT', { skip: skipMounted }, () => {
  test('says its label, its number, and whether it was unmounted', async () => {
    let dump = '';
    await withExfat(
      () => {},
      async (fileSystem, device) => {
        const { type, version, label, uuid, blockSize, size } = fileSystem.identity;
        assert.deepEqual([type, version, label, blockSize, size], ['exfat', '1.0', 'LABEL', 512, 8 << 20]);
        const digits = /Volume Serial:\s+0x([0-9a-f]+)/.exec(dump)![1]!.padStart(8, '0').toUpperCase();
        assert.equal(uuid, `${digits.slice(0, 4)}-${digits.slice(4)}`);
        assert.equal((await fileSystem.usage()).free, Number(/Free Clusters:\s+(\d+)/.exec(dump)![1]) * 512);
        assert.ok(fileSystem.isClean);
        await device.write(Uint8Array.of(2), 106);
        await using dirty = await exfat.open(device, { name: 'sample' });
        assert.ok(!dirty.isClean);
      },
      async (image) => {
        dump = await run('dump.exfat', [image]);
      },
    );
  });

  test('is read by the backup of its boot region, and not at all without either', async () => {
    await withExfat(
      (directory) => fs.writeFileSync(join(directory, 'file'), 'content'),
      async (_fileSystem, device) => {
        await device.write(Uint8Array.of(77), 96);
        await using fileSystem = await exfat.open(device, { name: 'sample' });
        assert.equal((await fileSystem.stat(await find(fileSystem, 'FILE'))).size, 7);
        await device.write(Uint8Array.of(77), 12 * 512 + 96);
        const message = /the exFAT boot region has a checksum that does not fit/;
        await assert.rejects(exfat.open(device, { name: 'sample' }), corrupt(message));
        assert.equal(await exfat.identify(device), undefined);
      },
    );
  });

  test('names are compared as its up-case table says', async () => {
    await withExfat(
      (directory) => fs.writeFileSync(join(directory, 'größe ÿ я'), 'content'),
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'größe ÿ я');
        assert.equal(await find(fileSystem, 'GRÖßE Ÿ Я'), node);
        assert.equal(await find(fileSystem, 'GRÖSSE Ÿ Я'), undefined);
        assert.equal(await fileSystem.lookup(fileSystem.root, Uint8Array.of(0xff, 0xfe)), undefined);
        const root = new Uint8Array(512);
        const place = Math.floor((node * 32) / 512) * 512;
        await device.read(root, place);
        const table = [...Array(16).keys()].find((index) => root[index * 32] === 0x82)!;
        await device.write(Uint8Array.of(1), place + table * 32 + 4);
        await using other = await exfat.open(device, { name: 'sample' });
        await assert.rejects(other.lookup(other.root, Buffer.from('x')), corrupt(/up-case table does not fit/));
      },
    );
  });

  test('what was never written of a file is zeros', async () => {
    await withExfat(
      (directory) => fs.writeFileSync(join(directory, 'file'), Buffer.alloc(3000, 'x')),
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'file');
        await editSet(device, node, (set) => set.writeUInt32LE(1000, 32 + 8));
        await using other = await exfat.open(device, { name: 'sample' });
        const content = Buffer.alloc(3000);
        assert.equal(await other.read(node, content, 0), 3000);
        assert.ok(content.equals(Buffer.concat([Buffer.alloc(1000, 'x'), Buffer.alloc(2000)])));
        const kinds = (await Array.fromAsync(other.extents(node))).map(({ kind, length }) => [kind, length]);
        assert.deepEqual(kinds, [
          ['data', 1000],
          ['zero', 2000],
        ]);
        await editSet(device, node, (set) => set.writeUInt32LE(3001, 32 + 8));
        await using broken = await exfat.open(device, { name: 'sample' });
        await assert.rejects(broken.stat(node), corrupt(/has 3000 bytes, of which 3001 were written/));
      },
    );
  });

  test('times are told in UTC, to 10 ms', async () => {
    await withExfat(
      (directory) => fs.writeFileSync(join(directory, 'file'), ''),
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'file');
        await editSet(device, node, (set) => {
          // 2024-02-29 13:45:58, and 1.37 s, two hours before UTC; half an hour behind it; unknown.
          const timestamp = ((44 << 25) | (2 << 21) | (29 << 16) | (13 << 11) | (45 << 5) | 29) >>> 0;
          for (const place of [8, 12, 16]) set.writeUInt32LE(timestamp, place);
          set.set([137, 5, 0x88, 0xfe, 0x08], 20);
        });
        await using other = await exfat.open(device, { name: 'sample' });
        const { created, modified, accessed, mode } = await other.stat(node);
        const seconds = Date.UTC(2024, 1, 29, 13, 45, 58) / 1000;
        assert.deepEqual(created, { seconds: seconds - 7200 + 1, nanoseconds: 370_000_000 });
        assert.deepEqual(modified, { seconds: seconds + 1800, nanoseconds: 50_000_000 });
        assert.deepEqual(accessed, { seconds, nanoseconds: 0 });
        assert.equal(mode, 0o755);
        await editSet(device, node, (set) => set.writeUInt16LE(0x21, 4));
        await using readOnly = await exfat.open(device, { name: 'sample' });
        assert.equal((await readOnly.stat(node)).mode, 0o555);
      },
    );
  });

  test('entries that do not fit their checksum, or chains that go round, are CORRUPT', async () => {
    await withExfat(
      (directory) => fs.writeFileSync(join(directory, 'file'), 'content'),
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'file');
        const boot = Buffer.alloc(512);
        await device.read(boot, 0);
        const rootCluster = boot.subarray(96, 100);
        await device.write(rootCluster, boot.readUInt32LE(80) * 512 + rootCluster.readUInt32LE() * 4);
        await device.write(Uint8Array.of(0x77), node * 32 + 8);
        await using broken = await exfat.open(device, { name: 'sample' });
        const round = corrupt(/the root directory: its chain of clusters goes round in a circle/);
        await assert.rejects(broken.stat(broken.root), round);
        const names = Array.fromAsync(broken.readDirectory(broken.root));
        await assert.rejects(names, corrupt(/entry is at byte \d+ does not fit its checksum/));
      },
    );
  });

  test('a chain of a file that goes round is found out soon, however long it says it is', async () => {
    await withExfat(
      (directory) => {
        for (let index = 0; index < 20; index++) {
          for (const name of ['one', 'other']) fs.appendFileSync(join(directory, name), Buffer.alloc(5000, name));
        }
      },
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'one');
        const extents = await Array.fromAsync(fileSystem.extents(node));
        assert.ok(extents.length > 2);
        const boot = Buffer.alloc(512);
        await device.read(boot, 0);
        const clusterOf = (index: number) => (extents[index]!.place! - boot.readUInt32LE(88) * 512) / 512 + 2;
        // The second piece ends in the first one.
        const last = clusterOf(1) + extents[1]!.length / 512 - 1;
        await device.write(
          Uint8Array.from(Buffer.from(Uint32Array.of(clusterOf(0)).buffer)),
          boot.readUInt32LE(80) * 512 + last * 4,
        );
        await using round = await exfat.open(device, { name: 'sample' });
        const message = /entry is at byte \d+: its chain of clusters goes round in a circle/;
        await assert.rejects(round.read(node, new Uint8Array(100), 90_000), corrupt(message));
        assert.equal(await round.read(node, new Uint8Array(100), 0), 100);
      },
    );
  });

  test('of two allocation tables and bitmaps those count that are said to', async () => {
    const content = pattern(100_000, 1);
    await withExfat(
      (directory) => {
        for (let index = 0; index < 20; index++) {
          fs.appendFileSync(join(directory, 'file'), content.subarray(index * 5000, (index + 1) * 5000));
          fs.appendFileSync(join(directory, 'other'), pattern(5000, index));
        }
      },
      async (_fileSystem, device) => {
        const region = Buffer.alloc(12 * 512);
        await device.read(region, 0);
        const [tableOffset, tableLength] = [region.readUInt32LE(80) * 512, region.readUInt32LE(84) * 512];
        const rootOffset = region.readUInt32LE(88) * 512 + (region.readUInt32LE(96) - 2) * 512;
        const table = Buffer.alloc(tableLength);
        await device.read(table, tableOffset);
        await device.write(table, tableOffset + tableLength);
        await device.write(Buffer.alloc(tableLength), tableOffset);
        const root = Buffer.alloc(512);
        await device.read(root, rootOffset);
        const bitmap = [...Array(16).keys()].find((index) => root[index * 32] === 0x81)!;
        await device.write(Uint8Array.of(1), rootOffset + bitmap * 32 + 1);
        region[110] = 2;
        region.writeUInt16LE(1, 106);
        let sum = 0;
        region.subarray(0, 11 * 512).forEach((byte, index) => {
          if (![106, 107, 112].includes(index)) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
        });
        for (let place = 11 * 512; place < region.length; place += 4) region.writeUInt32LE(sum, place);
        await device.write(region, 0);
        await using second = await exfat.open(device, { name: 'sample' });
        const bytes = Buffer.alloc(content.length);
        await second.read(await find(second, 'file'), bytes, 0);
        assert.ok(bytes.equals(content));
        await device.write(Uint8Array.of(0), 106);
        await assert.rejects(exfat.open(device, { name: 'sample' }), corrupt(/no allocation bitmap/));
      },
    );
  });

  test('fsck.exfat finds nothing wrong with what is left when free space is thrown away', async () => {
    const { open } = await exfatSample(16 << 20, []);
    await using device = await open();
    await using fileSystem = await exfat.open(device, { name: 'sample' });
    let thrown = 0;
    for await (const { offset, length } of fileSystem.freeRanges()) {
      await device.write(new Uint8Array(length).fill(0xee), offset);
      thrown += length;
    }
    assert.ok(thrown > 1 << 20);
    const bytes = Buffer.alloc(device.size);
    await device.read(bytes, 0);
    await sampleImage(device.size, async (image) => {
      fs.writeFileSync(image, bytes);
      assert.match(await run('fsck.exfat', ['-n', image]), /: clean\./);
    });
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 100, 512, 1 << 20]) assert.equal(await exfat.identify(memoryDevice(size)), undefined);
  });
});

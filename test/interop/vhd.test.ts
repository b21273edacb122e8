import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { contentOf, pattern } from '../../src/conformance/device-content.ts';
import { damaged, damages, readOrRefusal } from '../../src/conformance/image-format-damage.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { memoryTarget } from '../../src/conformance/memory-target.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import { openImage } from '../../src/format/formats.ts';
import type { FormatDevice, WriteImageOptions } from '../../src/format/image-format.ts';
import { encodeDynamicHeader, plainDynamicHeader } from '../../src/format/vhd/dynamic-header.ts';
import { encodeFooter, type VhdFooter } from '../../src/format/vhd/footer.ts';
import { vhdFormat } from '../../src/format/vhd/vhd.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const diskSize = 10 * 2 ** 20;

async function writeVhd(source: BlockDevice, path: string, options?: WriteImageOptions): Promise<void> {
  const fd = openSync(path, 'wx');
  try {
    await vhdFormat.write(source, fileTarget(fd, path), options);
  } finally {
    closeSync(fd);
  }
}

/** Our map in the words of `qemu-img map --output=json`. */
async function mapLikeQemu(disk: FormatDevice): Promise<unknown[]> {
  const runs = await Array.fromAsync(disk.map!(0, disk.size));
  return runs.map(({ depth, hostOffset, kind, length, offset, present }) => ({
    ...{ start: offset, length, depth, present, zero: kind !== 'data', data: kind === 'data' },
    ...(hostOffset === undefined ? {} : { offset: hostOffset }),
  }));
}

describe('VHDs of qemu-img', { skip }, () => {
  for (const options of [
    'subformat=dynamic',
    'subformat=dynamic,force_size',
    'subformat=fixed',
    'subformat=fixed,force_size',
  ]) {
    test(`${options}: read as qemu-img reads them, whatever was written`, async () => {
      await using directory = await imageDirectory();
      for (const size of ['512', '1000448', '10M', '127G']) {
        if (size === '127G' && options.includes('fixed')) continue;
        const path = directory.path(`${size}.vhd`);
        await qemuImg('create', '-q', '-f', 'vpc', '-o', options, path, size);
        {
          await using empty = await openPath(path);
          const information = JSON.parse(await qemuImg('info', '--output=json', '-f', 'vpc', path));
          assert.equal(empty.size, information['virtual-size'], size);
          assert.equal(empty.format, 'vpc');
        }
        if (size !== '10M') continue;
        const commands = ['write -P 1 5M 70k', 'write -P 2 1k 3k', 'write -P 3 2047k 2k', 'write -P 4 9M 512'];
        execFileSync('qemu-io', ['-f', 'vpc', ...commands.flatMap((command) => ['-c', command]), path], {
          stdio: 'ignore',
        });
        await assertSameContent(path);
        await using disk = await openPath(path);
        if (options.includes('dynamic')) {
          const expected = JSON.parse(await qemuImg('map', '--output=json', '-f', 'vpc', path));
          assert.deepEqual(await mapLikeQemu(disk), expected);
        }
      }
    });
  }

  test('changed bytes and cut ends are refused by name, or read', async () => {
    await using directory = await imageDirectory();
    const raw = await directory.save('disk.raw', mixedDisk(3 * 2 ** 20));
    for (const subformat of ['dynamic', 'fixed']) {
      const path = directory.path(subformat);
      await qemuImg('convert', '-f', 'raw', '-O', 'vpc', '-o', `force_size,subformat=${subformat}`, raw, path);
      const image = await readFile(path);
      const read = (bytes: Uint8Array): Promise<Uint8Array | undefined> =>
        readOrRefusal(() => openImage(memoryDevice(bytes), { name: 'sample.vhd', format: 'vpc' }), 'sample.vhd');
      const property = fc.asyncProperty(damages(image.length), async (changes) => {
        await read(damaged(image, changes));
      });
      await fc.assert(property, { numRuns: 100 });
      for (let length = 0; length < image.length; length += Math.ceil(image.length / 50)) {
        await read(image.subarray(0, length));
      }
    }
  });
});

/** As `assertReadsLikeQemu`, which lets both sides find out the format; qemu-img cannot for a fixed VHD. */
async function assertSameContent(path: string): Promise<void> {
  const rawPath = `${path}.expected`;
  await qemuImg('convert', '-f', 'vpc', '-O', 'raw', path, rawPath);
  await using disk = await openPath(path);
  assert.equal(Buffer.compare(await contentOf(disk), await readFile(rawPath)), 0, path);
}

describe('VHDs that we write', { skip }, () => {
  const ways: Readonly<Record<string, WriteImageOptions>> = {
    dynamic: {},
    'blocks of 512 KiB': { clusterSize: 2 ** 19 },
    fixed: { options: { subformat: 'fixed' } },
  };
  for (const [way, options] of Object.entries(ways)) {
    test(`${way}: equal for qemu-img, of exactly the disk's size, and known to vhdiinfo`, async (t) => {
      await using directory = await imageDirectory();
      for (const size of [512, 34816, 2 ** 20, diskSize + 512, 20_971_520]) {
        const source = mixedDisk(size);
        const raw = await directory.save(`${size}.raw`, source);
        const path = directory.path(`${size}.vhd`);
        await writeVhd(source, path, options);
        await qemuImg('compare', '-f', 'vpc', '-F', 'raw', path, raw);
        const information = JSON.parse(await qemuImg('info', '--output=json', '-f', 'vpc', path));
        assert.equal(information['virtual-size'], size);
        await using disk = await openPath(path);
        assert.equal(disk.size, size);
        const expected = JSON.parse(await qemuImg('map', '--output=json', '-f', 'vpc', path));
        if (way !== 'fixed') assert.deepEqual(await mapLikeQemu(disk), expected);
        await using file = await openFileDevice(path, { readOnly: true });
        const report = await vhdFormat.check!(file, { name: path });
        assert.deepEqual(report.problems, []);
        const vhdiinfo = requireTool(t, 'vhdiinfo');
        if (vhdiinfo === undefined) continue;
        const told = execFileSync(vhdiinfo, [path], { encoding: 'utf8' });
        assert.match(told, new RegExp(`Media size.*\\b${size}( bytes\\b|\\b)`));
        assert.match(told, way === 'fixed' ? /Disk type\s*: Fixed/ : /Disk type\s*: Dynamic/);
      }
    });
  }

  test('a dynamic one may be written to by QEMU', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('disk.vhd');
    await writeVhd(mixedDisk(diskSize), path);
    await qemuIo(path, 'write -P 9 3M 3M', 'write -P 8 0 512');
    await assertReadsLikeQemu(path);
    await using file = await openFileDevice(path, { readOnly: true });
    assert.deepEqual((await vhdFormat.check!(file, { name: path })).problems, []);
  });

  test('into a pipe and of a sparse terabyte', async () => {
    await using directory = await imageDirectory();
    const source = memoryDevice(2 ** 40);
    for (const offset of [0, 2 ** 39 + 5000, 2 ** 40 - 70_000]) await source.write(pattern(70_000, 3), offset);
    const target = memoryTarget({ seekable: false, zeroed: false });
    await vhdFormat.write(source, target);
    await writeFile(directory.path('piped'), target.bytes());
    await writeVhd(source, directory.path('seekable'));
    await qemuImg('compare', directory.path('piped'), directory.path('seekable'));
    const { blocks } = await stat(directory.path('seekable'));
    assert.ok(blocks * 512 < 6 * 2 ** 20, `${blocks} sectors`);
  });

  test('a fixed one of whole MiB is what Azure asks for: the disk, and a footer of 512 bytes', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('azure.vhd');
    await writeVhd(mixedDisk(diskSize), path, { options: { subformat: 'fixed' } });
    assert.equal((await stat(path)).size, diskSize + 512);
  });
});

/** What libvhdi reads of an image, and of its parent. */
const libvhdiReader = `
import sys, pyvhdi
parent = pyvhdi.file(); parent.open(sys.argv[2])
child = pyvhdi.file(); child.open(sys.argv[1]); child.set_parent(parent)
sys.stdout.buffer.write(child.read_buffer_at_offset(child.get_media_size(), 0))
`;

test('a differencing VHD is read as libvhdi reads it', async (t) => {
  if (spawnSync('/usr/bin/python3', ['-c', 'import pyvhdi']).status !== 0)
    return t.skip('python3-libvhdi is not installed');
  await using directory = await imageDirectory();
  const base = directory.path('base.vhd');
  await writeVhd(memoryDevice(pattern(4 * 2 ** 20, 1)), base);
  await using parent = await openPath(base);
  const uniqueId = parent.information().contentId!;
  const child = directory.path('child.vhd');
  await writeFile(child, differencingVhd(4 * 2 ** 20, uniqueId));
  await using disk = await openPath(child, directory.path(''));
  const expected = execFileSync('/usr/bin/python3', ['-c', libvhdiReader, child, base], { maxBuffer: 2 ** 26 });
  assert.equal(Buffer.compare(await contentOf(disk), expected), 0);
});

/** A child of `base.vhd` that has some sectors of its second block of 2 MiB. */
function differencingVhd(size: number, parentUniqueId: string): Uint8Array {
  const footer: VhdFooter = {
    ...{ dataOffset: 512, timestamp: 1, creatorApplication: 'win ', currentSize: size },
    geometry: { cylinders: 120, heads: 4, sectorsPerTrack: 17 },
    ...{ type: 'differencing', uniqueId: '01234567-89ab-cdef-0123-456789abcdef' },
  };
  const blockSize = 2 * 2 ** 20;
  const names = { W2ru: '.\\base.vhd', W2ku: 'C:\\disks\\base.vhd' };
  const parentLocators = Object.entries(names).map(([platform, name], index) => {
    return { platform, length: name.length * 2, offset: 2048 + index * 512, name };
  });
  const bytes = Buffer.alloc(4096 + 512 + blockSize + 512);
  bytes.set(encodeFooter(footer));
  const header = { ...plainDynamicHeader(1536, 2, blockSize), parentUniqueId, parentName: 'base.vhd', parentLocators };
  bytes.set(encodeDynamicHeader(header), 512);
  bytes.fill(0xff, 1536, 2048);
  for (const { name, offset } of parentLocators) bytes.write(name, offset, 'utf16le');
  bytes.writeUInt32BE(4096 / 512, 1540);
  for (let sector = 0; sector < 4096; sector += 1) {
    // From some bit on to the byte's end: libvhdi takes that for what is set wherever a byte has a bit at all.
    if (sector % 8 >= (sector >> 3) % 9) bytes[4096 + (sector >> 3)]! |= 0x80 >> (sector & 7);
  }
  bytes.set(pattern(blockSize, 5), 4096 + 512);
  bytes.set(encodeFooter(footer), bytes.length - 512);
  return bytes;
}

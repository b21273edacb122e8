import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { decodeGuid, type Guid, newGuid, zeroGuid } from '../../src/bytes/guid.ts';
import { contentOf, extentsOf, pattern } from '../../src/conformance/device-content.ts';
import { damaged, damages, readOrRefusal } from '../../src/conformance/image-format-damage.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { memoryTarget } from '../../src/conformance/memory-target.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import { openImage } from '../../src/format/formats.ts';
import type { CheckReport, WriteImageOptions } from '../../src/format/image-format.ts';
import { putEntry } from '../../src/format/vhdx/bat.ts';
import { metadataItems } from '../../src/format/vhdx/disk-parameters.ts';
import { currentHeader, encodeHeader, encodeIdentifier } from '../../src/format/vhdx/file-header.ts';
import { encodeMetadata, metadataFlag, metadataItem } from '../../src/format/vhdx/metadata.ts';
import { encodeParentLocator } from '../../src/format/vhdx/parent-locator.ts';
import { decodeRegions, encodeRegions } from '../../src/format/vhdx/region-table.ts';
import { vhdxFormat } from '../../src/format/vhdx/vhdx.ts';
import { endAndAwait } from '../process/end-process.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const mebibyte = 2 ** 20;

async function writeVhdx(source: BlockDevice, path: string, options?: WriteImageOptions): Promise<void> {
  const fd = openSync(path, 'wx');
  try {
    await vhdxFormat.write(source, fileTarget(fd, path), options);
  } finally {
    closeSync(fd);
  }
}

async function checkFile(path: string): Promise<CheckReport> {
  await using file = await openFileDevice(path, { readOnly: true });
  return await vhdxFormat.check!(file, { name: path });
}

/** That qemu-img finds nothing wrong with an image, and neither do we. */
async function assertGood(path: string): Promise<void> {
  await qemuImg('check', '-f', 'vhdx', path);
  assert.deepEqual((await checkFile(path)).problems, []);
}

const sector = 512;
const diskSize = 6 * mebibyte;
const command = fc
  .record({
    verb: fc.constantFrom('write -P 1', 'write -P 255', 'write -z', 'discard'),
    start: fc.integer({ min: 0, max: diskSize / sector - 1 }),
    count: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: diskSize / sector })),
  })
  .map(({ count, start, verb }) => `${verb} ${start * sector} ${Math.min(count * sector, diskSize - start * sector)}`);

describe('VHDX images of qemu-img', { skip }, () => {
  const ways = ['block_size=1M', 'block_size=1M,block_state_zero=off', 'subformat=fixed', 'block_size=8M,log_size=2M'];
  for (const options of ways) {
    test(`${options}: read as qemu-img reads them, with a history of random commands`, async () => {
      const property = fc.asyncProperty(fc.array(command, { maxLength: 8 }), async (commands) => {
        await using directory = await imageDirectory();
        const path = directory.path('image');
        await qemuImg('create', '-q', '-f', 'vhdx', '-o', options, path, `${diskSize}`);
        if (commands.length > 0) await qemuIo(path, ...commands);
        await assertReadsLikeQemu(path);
        await assertGood(path);
      });
      await fc.assert(property, { numRuns: 3 });
    });
  }

  test('of any size', async () => {
    await using directory = await imageDirectory();
    for (const size of [512, 1_000_448, 300 * 2 ** 30, 64 * 2 ** 40]) {
      const path = directory.path(`${size}`);
      await qemuImg('create', '-q', '-f', 'vhdx', path, `${size}`);
      await using disk = await openPath(path);
      assert.equal(disk.size, size);
      const information = JSON.parse(await qemuImg('info', '--output=json', path));
      assert.equal(disk.information().clusterSize, information['cluster-size']);
      assert.deepEqual(
        (await extentsOf(disk)).map(({ kind }) => kind),
        ['zero'],
      );
    }
  });

  test('changed bytes and cut ends are refused by name, or read', async () => {
    await using directory = await imageDirectory();
    const raw = await directory.save('disk.raw', mixedDisk(3 * mebibyte));
    const path = directory.path('image');
    await qemuImg('convert', '-f', 'raw', '-O', 'vhdx', '-o', 'block_size=1M', raw, path);
    const image = await readFile(path);
    const read = (bytes: Uint8Array): Promise<Uint8Array | undefined> =>
      readOrRefusal(() => openImage(memoryDevice(bytes), { name: 'sample.vhdx', format: 'vhdx' }), 'sample.vhdx');
    // Wherever there is something: headers, region tables, metadata and the BAT.
    const starts = [0, 65536, 131072, 196608, 262144, mebibyte, 2 * mebibyte, 2 * mebibyte + 65536, 3 * mebibyte];
    const property = fc.asyncProperty(fc.constantFrom(...starts), damages(2048), async (start, changes) => {
      await read(
        damaged(
          image,
          changes.map(({ bytes, place }) => ({ bytes, place: place + start })),
        ),
      );
    });
    await fc.assert(property, { numRuns: 60 });
    const content = await contentOf(mixedDisk(3 * mebibyte));
    for (let length = 0; length < image.length; length += Math.ceil(image.length / 20)) {
      const rest = await read(image.subarray(0, length));
      if (rest !== undefined)
        assert.equal(Buffer.compare(rest, content.subarray(0, rest.length)), 0, `cut at ${length}`);
    }
  });
});

describe('VHDX images that a qemu-io was not done with', { skip }, () => {
  test('with its last changes in the log alone, are read as qemu-img reads them after it replayed that', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'vhdx', '-o', 'block_size=1M', path, '24M');
    for (let block = 0; block < 4; block += 1) {
      await qemuIo(path, `write -P 1 ${block * 3}M 64k`);
      const before = await readFile(path);
      await qemuIo(path, `write -P 2 ${block * 3 + 1}M 64k`);
      const whole = await contentOfPath(path);
      await writeFile(path, undoneUpToLog(before, await readFile(path)));
      const ours = await contentOfPath(path);
      assert.deepEqual([whole.isDirty, ours.isDirty], [false, true]);
      assert.equal(Buffer.compare(ours.content, whole.content), 0, `block ${block}`);
      await assert.rejects(qemuImg('convert', '-O', 'raw', path, `${path}.raw`), /log that needs to be replayed/);
      await qemuImg('check', '-q', '-r', 'all', '-f', 'vhdx', path);
      assert.deepEqual(await contentOfPath(path), whole);
      await assertReadsLikeQemu(path);
    }
  });

  test('killed at any moment, are read as qemu-img reads them after it replayed the log', async () => {
    for (let turn = 0; turn < 6; turn += 1) {
      await using directory = await imageDirectory();
      const path = directory.path('image');
      await qemuImg('create', '-q', '-f', 'vhdx', '-o', 'block_size=1M', path, '24M');
      await killWhileWriting(path, 1 + turn * 3);
      const { content } = await contentOfPath(path);
      await qemuImg('check', '-q', '-r', 'all', '-f', 'vhdx', path);
      assert.equal(Buffer.compare(content, (await contentOfPath(path)).content), 0, `turn ${turn}`);
      await assertReadsLikeQemu(path);
    }
  });
});

/** The file `after` with the BAT that it had before, and with its newest log entry not yet replayed. */
function undoneUpToLog(before: Buffer, after: Buffer): Buffer {
  const header = currentHeader(after.subarray(65536, 69632), after.subarray(131072, 135168), 'after');
  const regions = decodeRegions(after.subarray(196608, 262144), after.subarray(262144, 327680), 'after');
  const result = Buffer.from(after);
  const { length, offset } = regions.bat;
  before.copy(result, offset, offset, offset + length);
  let newest = { sequenceNumber: 0n, logGuid: '' };
  for (let place = header.logOffset; place < header.logOffset + header.logLength; place += 4096) {
    if (after.toString('latin1', place, place + 4) !== 'loge') continue;
    const sequenceNumber = after.readBigUInt64LE(place + 16);
    const logGuid = decodeGuid(after.subarray(place + 32, place + 48));
    if (sequenceNumber > newest.sequenceNumber) newest = { sequenceNumber, logGuid };
  }
  const { logGuid } = newest;
  result.set(encodeHeader({ ...header, logGuid, sequenceNumber: header.sequenceNumber + 1n }), 65536);
  return result;
}

async function contentOfPath(path: string): Promise<{ readonly content: Uint8Array; readonly isDirty: boolean }> {
  await using disk = await openPath(path);
  return { content: await contentOf(disk), isDirty: disk.information().dirty === true };
}

/** Lets qemu-io allocate one block after the other, and kills it when the file has grown by some; it may be done then. */
async function killWhileWriting(path: string, blockCount: number): Promise<void> {
  const { size } = await stat(path);
  const commands = Array.from({ length: 24 }, (_, block) => `write -P ${block + 1} ${(block * 7) % 24}M 64k`);
  const qemu = spawn('qemu-io', [...commands.flatMap((each) => ['-c', each]), path], { stdio: 'ignore' });
  const closed = once(qemu, 'close');
  while (qemu.exitCode === null && (await stat(path)).size < size + blockCount * mebibyte) await setImmediate();
  await endAndAwait(qemu, closed);
}

describe('VHDX images that we write', { skip }, () => {
  const ways: Readonly<Record<string, WriteImageOptions>> = {
    dynamic: {},
    'blocks of 1 MiB': { clusterSize: mebibyte },
    'blocks of 256 MiB': { clusterSize: 256 * mebibyte },
    fixed: { options: { subformat: 'fixed' } },
  };
  for (const [way, options] of Object.entries(ways)) {
    test(`${way}: equal for qemu-img, clean, and known to vhdiinfo`, async (t) => {
      await using directory = await imageDirectory();
      for (const size of [512, mebibyte, 9 * mebibyte + 512]) {
        const source = mixedDisk(size);
        const raw = await directory.save(`${size}.raw`, source);
        const path = directory.path(`${size}.vhdx`);
        await writeVhdx(source, path, options);
        await qemuImg('compare', '-f', 'vhdx', '-F', 'raw', path, raw);
        await assertGood(path);
        await assertReadsLikeQemu(path);
        const vhdiinfo = requireTool(t, 'vhdiinfo');
        if (vhdiinfo === undefined) continue;
        const told = execFileSync(vhdiinfo, [path], { encoding: 'utf8' });
        assert.match(told, new RegExp(`Media size.*\\b${size}\\b`));
        assert.match(told, way === 'fixed' ? /Disk type\s*: Fixed/ : /Disk type\s*: Dynamic/);
      }
    });
  }

  test('may be written to by QEMU', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('disk.vhdx');
    await writeVhdx(mixedDisk(20 * mebibyte), path, { clusterSize: mebibyte });
    await qemuIo(path, 'write -P 9 3M 3M', 'write -P 8 0 512', 'write -P 7 15M 5M');
    await assertReadsLikeQemu(path);
    await assertGood(path);
  });

  test('into a pipe, and of a disk that is mostly holes', async () => {
    await using directory = await imageDirectory();
    // qemu-img does not know the holes of a VHDX, and compares all of it.
    const source = memoryDevice(2 ** 31);
    for (const offset of [0, 2 ** 30 + 5000, 2 ** 31 - 70_000]) await source.write(pattern(70_000, 3), offset);
    const target = memoryTarget({ seekable: false, zeroed: false });
    await vhdxFormat.write(source, target, { clusterSize: 2 * mebibyte });
    await writeFile(directory.path('piped'), target.bytes());
    await writeVhdx(source, directory.path('seekable'));
    await qemuImg('compare', directory.path('piped'), directory.path('seekable'));
    await assertGood(directory.path('piped'));
    const { blocks } = await stat(directory.path('seekable'));
    assert.ok(blocks * 512 < 3 * mebibyte, `${blocks} sectors`);
  });
});

/** What libvhdi reads of an image, and of its parent. */
const libvhdiReader = `
import sys, pyvhdi
parent = pyvhdi.file(); parent.open(sys.argv[2])
child = pyvhdi.file(); child.open(sys.argv[1]); child.set_parent(parent)
sys.stdout.buffer.write(child.read_buffer_at_offset(child.get_media_size(), 0))
`;

test('a differencing VHDX is read as libvhdi reads it', async (t) => {
  if (spawnSync('/usr/bin/python3', ['-c', 'import pyvhdi']).status !== 0) {
    return t.skip('python3-libvhdi is not installed');
  }
  await using directory = await imageDirectory();
  const base = directory.path('base.vhdx');
  await writeVhdx(memoryDevice(pattern(4 * mebibyte, 1)), base, { clusterSize: mebibyte });
  await using parent = await openPath(base);
  const child = directory.path('child.vhdx');
  await writeFile(child, differencingVhdx(parent.information().contentId!));
  await using disk = await openPath(child, directory.path(''));
  const expected = execFileSync('/usr/bin/python3', ['-c', libvhdiReader, child, base], { maxBuffer: 2 ** 26 });
  assert.equal(Buffer.compare(await contentOf(disk), expected), 0);
});

/** A child of `base.vhdx` with 4 MiB in blocks of 1 MiB: it has some sectors of the second, and all of the third. */
function differencingVhdx(parentLinkage: Guid): Uint8Array {
  const bytes = Buffer.alloc(7 * mebibyte);
  const header = {
    ...{ sequenceNumber: 1n, fileWriteGuid: newGuid(), dataWriteGuid: newGuid(), logGuid: zeroGuid },
    ...{ logLength: mebibyte, logOffset: mebibyte },
  };
  const regions = {
    bat: { offset: 3 * mebibyte, length: mebibyte },
    metadata: { offset: 2 * mebibyte, length: mebibyte },
  };
  const values = { parent_linkage: `{${parentLinkage}}`, relative_path: '.\\base.vhdx' };
  const locator = encodeParentLocator(new Map(Object.entries(values)));
  const parameters = {
    ...{ blockSize: mebibyte, leavesBlocksAllocated: false, hasParent: true, size: 4 * mebibyte },
    ...{ diskId: newGuid(), logicalSectorSize: 512, physicalSectorSize: 4096 },
  };
  const item = { item: metadataItem.parentLocator, flags: metadataFlag.isRequired, content: locator };
  bytes.set(encodeIdentifier('test'));
  for (const place of [65536, 131072]) bytes.set(encodeHeader(header), place);
  for (const place of [196608, 262144]) bytes.set(encodeRegions(regions), place);
  bytes.set(encodeMetadata([...metadataItems(parameters), item]), regions.metadata.offset);
  const bat = new DataView(bytes.buffer, bytes.byteOffset + regions.bat.offset);
  putEntry(bat, 1 * 8, 7, 5 * mebibyte);
  putEntry(bat, 2 * 8, 6, 6 * mebibyte);
  putEntry(bat, 4096 * 8, 6, 4 * mebibyte);
  // The bits of the second block, and of the third all.
  for (let sector = 2048; sector < 4096; sector += 1) {
    // From some bit on to the byte's end: libvhdi takes that for what is set wherever a byte has a bit at all.
    if (sector % 8 >= (sector >> 3) % 9) bytes[4 * mebibyte + (sector >> 3)]! |= 1 << (sector & 7);
  }
  bytes.fill(0xff, 4 * mebibyte + 4096 / 8, 4 * mebibyte + 6144 / 8);
  bytes.set(pattern(2 * mebibyte, 5), 5 * mebibyte);
  return bytes;
}

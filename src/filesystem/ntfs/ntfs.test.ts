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
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import type { FileSystem } from '../file-system.ts';
import { ntfs } from './ntfs.ts';

const skip = skipWithout('mkntfs', 'ntfs-3g', 'ntfsfix', 'setfattr') || whyNoMount('fuseblk');

interface Making {
  readonly size: number;
  readonly args?: readonly string[];
  readonly options?: string;
}

/** NTFS that mkntfs made, filled through ntfs-3g. */
async function ntfsSample({ size, args = [], options = 'loop' }: Making): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  let tableOffset = 0;
  const open = await sampleImage(size, async (image) => {
    await run('mkntfs', ['-q', '-Q', '-F', '-L', 'Größe 1', ...args, image]);
    const boot = fs.readFileSync(image).subarray(0, 512);
    tableOffset = Number(boot.readBigUInt64LE(48)) * boot[13]! * boot.readUInt16LE(11);
    const fill = async (directory: string) => {
      await makeSampleTree(directory, { unix: true, holes: true, manyFiles: 120 });
      await makeMore(directory);
      files = expectedTree(directory, { unix: false, times: true }).map(withAttributes);
    };
    await fillMounted(image, fill, { type: 'ntfs-3g', options });
  });
  return { driver: ntfs, open, files, structures: { offset: tableOffset, length: 600_000 } };
}

/** What only NTFS has, and what is hard for it. */
async function makeMore(directory: string): Promise<void> {
  const at = (...names: string[]) => join(directory, ...names);
  for (const [name, kind, ...numbers] of [
    ['fifo', 'p'],
    ['block', 'b', '8', '17'],
    ['character', 'c', '260', '70000'],
  ]) {
    await run('mknod', [at(name!), kind!, ...numbers]);
  }
  await run('setfattr', ['-n', 'user.short', '-v', 'value', at('one')]);
  await run('setfattr', ['-n', 'user.empty', at('one')]);
  await run('setfattr', ['-n', 'user.long “ÿ”', '-v', 'v'.repeat(20_000), at('file of 512 bytes')]);
  await run('setfattr', ['-n', 'user.of a directory', '-v', '0x00ff00', at('etc')]);
  fs.writeFileSync(at('n'.repeat(255)), 'a long name');
  fs.writeFileSync(at('Case'), 'large');
  fs.writeFileSync(at('case'), 'small');
  for (let index = 0; index < 80; index++) {
    for (const name of ['one in pieces', 'other in pieces']) fs.appendFileSync(at(name), pattern(5000, index));
  }
  for (let index = 0; index < 60; index++)
    fs.linkSync(at('one in pieces'), at('many', `name ${index} of many ${'x'.repeat(100)}`));
  fs.writeFileSync(at('gone'), pattern(100_000, 1));
  fs.rmSync(at('gone'));
}

const attributes: Readonly<Record<string, ExpectedFile['attributes']>> = {
  one: { 'user.short': Buffer.from('value'), 'user.empty': Buffer.alloc(0) },
  'file of 512 bytes': { 'user.long “ÿ”': Buffer.alloc(20_000, 'v') },
  etc: { 'user.of a directory': Uint8Array.of(0, 255, 0) },
  empty: {},
};

function withAttributes(file: ExpectedFile): ExpectedFile {
  const expected = attributes[Buffer.from(file.path).toString()];
  return expected === undefined ? file : { ...file, attributes: expected };
}

testFileSystem('NTFS', () => ntfsSample({ size: 32 << 20 }), skip);
testFileSystem('NTFS in clusters of 512 bytes', () => ntfsSample({ size: 32 << 20, args: ['-c', '512'] }), skip);
testFileSystem(
  'NTFS in clusters of 64 KiB and sectors of 4096 bytes',
  () => ntfsSample({ size: 64 << 20, args: ['-s', '4096', '-c', '65536'] }),
  skip,
);
testFileSystem(
  'NTFS that compresses',
  () => ntfsSample({ size: 32 << 20, args: ['-C'], options: 'loop,compression' }),
  skip,
);

type Check = (fileSystem: FileSystem, device: BlockDevice) => Promise<void>;

/** Opens what `fill` leaves on a disk, after `change` has had its file. */
async function withNtfs(
  fill: (directory: string) => Promise<void> | void,
  check: Check,
  {
    args = [],
    size = 16 << 20,
    options,
    change,
  }: Partial<Making> & { change?: (image: string) => Promise<unknown> } = {},
): Promise<void> {
  const open = await sampleImage(size, async (image) => {
    await run('mkntfs', ['-q', '-Q', '-F', '-L', 'LABEL', ...args, image]);
    await fillMounted(image, fill, { type: 'ntfs-3g', ...(options !== undefined && { options }) });
    await change?.(image);
  });
  await using device = open();
  await using fileSystem = await ntfs.open(device, { name: 'sample' });
  await check(fileSystem, device);
}

async function find(fileSystem: FileSystem, name: string): Promise<number> {
  return (await fileSystem.lookup(fileSystem.root, Buffer.from(name)))!;
}

async function textOf(fileSystem: FileSystem, name: string): Promise<string> {
  const node = await find(fileSystem, name);
  const content = Buffer.alloc((await fileSystem.stat(node)).size);
  assert.equal(await fileSystem.read(node, content, 0), content.length);
  return content.toString('latin1');
}

/** Changes the record of a file; not the last two bytes of 512. */
async function editRecord(device: BlockDevice, node: number, edit: (record: Buffer) => void): Promise<void> {
  await using fileSystem = await ntfs.open(device, { name: 'sample' });
  for await (const { offset, length, place } of fileSystem.extents(0)) {
    if (node * 1024 < offset || node * 1024 >= offset + length) continue;
    const record = Buffer.alloc(1024);
    await device.read(record, place! + node * 1024 - offset);
    edit(record);
    await device.write(record, place! + node * 1024 - offset);
  }
}

/** Where the attribute of a type is in a record. */
function placeOf(record: Buffer, type: number): number {
  let place = record.readUInt16LE(20);
  while (record.readUInt32LE(place) !== type) place += record.readUInt32LE(place + 4);
  return place;
}

const corrupt = (message: RegExp) => ({ name: 'VarveError', code: 'CORRUPT', message });
const unsupported = (message: RegExp) => ({ name: 'VarveError', code: 'UNSUPPORTED', message });
const nothing = () => {};
const setReparsePoint = (path: string, data: Buffer) =>
  run('setfattr', ['-h', '-n', 'system.ntfs_reparse_data', '-v', `0x${data.toString('hex')}`, path]);

function reparseData(tag: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(tag);
  head.writeUInt16LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** The content of a symbolic link, where `flags` are given, or of a junction. */
function linkContent(target: string, flags?: number): Buffer {
  const name = Buffer.from(target, 'utf16le');
  const head = Buffer.alloc(flags === undefined ? 8 : 12);
  head.writeUInt16LE(name.length, 2);
  head.writeUInt16LE(name.length, 4);
  head.writeUInt16LE(name.length, 6);
  if (flags !== undefined) head.writeUInt32LE(flags, 8);
  return Buffer.concat([head, name, name]);
}

describe('NTFS', { skip }, () => {
  test('says its label, its number and its size', async () => {
    let number = '';
    const change = async (image: string) => {
      number = /^UUID=(.*)$/m.exec(await run('blkid', ['-p', '-o', 'export', image]))![1]!;
    };
    const check: Check = async ({ identity }) => {
      const { type, version, label, uuid, blockSize, size } = identity;
      assert.deepEqual([type, version, label, uuid], ['ntfs', '3.1', 'LABEL', number]);
      assert.deepEqual([blockSize, size], [4096, 16 << 20]);
    };
    await withNtfs(nothing, check, { change });
  });

  test('is clean when it was unmounted, and not when it is dirty', async () => {
    await withNtfs(nothing, async ({ isClean }) => assert.ok(isClean));
    await withNtfs(nothing, async ({ isClean }) => assert.ok(!isClean), { change: (image) => run('ntfsfix', [image]) });
  });

  test('is not clean while a Windows sleeps on it', async () => {
    for (const [mark, isClean] of [
      ['hibr', false],
      ['HIBR', false],
      ['wake', true],
    ] as const) {
      const fill = (directory: string) =>
        fs.writeFileSync(join(directory, 'HiberFil.sys'), Buffer.concat([Buffer.from(mark), Buffer.alloc(5000)]));
      await withNtfs(fill, async (fileSystem) => assert.equal(fileSystem.isClean, isClean, mark));
    }
  });

  test('is not clean where its log has changes that are not where they belong', async () => {
    await withNtfs(nothing, async (fileSystem, device) => {
      const [log] = await Array.fromAsync(fileSystem.extents(2));
      const isClean = async (...pages: Buffer[]) => {
        await device.write(Buffer.concat(pages), log!.place!);
        await using again = await ntfs.open(device, { name: 'sample' });
        return again.isClean;
      };
      const [used, unused] = [restartPage({ entry: 7, client: 0 }), restartPage({ entry: 9, client: 0xffff })];
      assert.equal(await isClean(used, unused), true);
      assert.equal(await isClean(unused, restartPage({ entry: 10, client: 0 })), false);
      assert.equal(await isClean(used, Buffer.alloc(4096)), false);
      assert.equal(await isClean(Buffer.alloc(4096), Buffer.alloc(4096)), false);
      assert.equal(await isClean(restartPage({ entry: 7, client: 0, flags: 2 }), Buffer.alloc(4096)), true);
    });
  });

  test('is read by the copy of its boot sector and the mirror of its table', async () => {
    await withNtfs(
      (directory) => fs.writeFileSync(join(directory, 'file'), 'content'),
      async ({ identity }, device) => {
        const boot = Buffer.alloc(512);
        await device.read(boot, 0);
        await device.write(Uint8Array.of(0), 13);
        for (const record of [0, 3]) {
          await device.write(Uint8Array.of(0x42), Number(boot.readBigUInt64LE(48)) * 4096 + record * 1024);
        }
        await using fileSystem = await ntfs.open(device, { name: 'sample' });
        assert.deepEqual(fileSystem.identity, identity);
        assert.equal(await textOf(fileSystem, 'FILE'), 'content');
        await device.write(new Uint8Array(1024), Number(boot.readBigUInt64LE(56)) * 4096);
        await assert.rejects(
          ntfs.open(device, { name: 'sample' }),
          corrupt(/file record 0, of the master file table, does not/),
        );
        await device.write(Uint8Array.of(0), device.size - 512 + 13);
        await assert.rejects(ntfs.open(device, { name: 'sample' }), corrupt(/boot sector has clusters of 0 bytes/));
      },
    );
  });

  test('names are found as they are, or by upper and lower case, or by their short ones, which are not listed', async () => {
    const fill = async (directory: string) => {
      for (const name of ['Größe ÿ', 'two', 'TWO', 'tWo']) fs.writeFileSync(join(directory, name), name);
      fs.writeFileSync(join(directory, 'a long name.text'), 'long');
      await run('setfattr', ['-n', 'system.ntfs_dos_name', '-v', 'ALONGN~1.TEX', join(directory, 'a long name.text')]);
    };
    await withNtfs(fill, async (fileSystem) => {
      for (const name of ['two', 'TWO', 'tWo']) assert.equal(await textOf(fileSystem, name), name);
      assert.match(await textOf(fileSystem, 'Two'), /two/i);
      assert.equal(await find(fileSystem, 'GRÖßE Ÿ'), await find(fileSystem, 'Größe ÿ'));
      assert.equal(await find(fileSystem, '$MFT'), undefined);
      assert.equal(await textOf(fileSystem, 'alongn~1.tex'), 'long');
      const names = (await Array.fromAsync(fileSystem.readDirectory(fileSystem.root))).map(
        ({ name }) => `${Buffer.from(name)}`,
      );
      assert.deepEqual(names, ['a long name.text', 'Größe ÿ', 'TWO', 'tWo', 'two'].sort(byUpperCase));
      assert.equal((await fileSystem.stat(await find(fileSystem, 'a long name.text'))).links, 1);
    });
  });

  test('reparse points are symlinks, devices, or what cannot be read', async () => {
    const fill = async (directory: string) => {
      const at = (name: string) => join(directory, name);
      for (const name of ['relative', 'absolute', 'linux', 'deduplicated']) fs.writeFileSync(at(name), '');
      fs.mkdirSync(at('junction'));
      await setReparsePoint(at('relative'), reparseData(0xa000_000c, linkContent('..\\dir\\Größe', 1)));
      await setReparsePoint(at('absolute'), reparseData(0xa000_000c, linkContent('\\??\\C:\\Users\\x', 0)));
      await setReparsePoint(at('junction'), reparseData(0xa000_0003, linkContent('\\??\\D:\\Data\\')));
      await setReparsePoint(at('linux'), reparseData(0xa000_001d, Buffer.from('\x02\0\0\0/usr/lib/ö')));
      await setReparsePoint(at('deduplicated'), reparseData(0x8000_0013, Buffer.alloc(120, 1)));
    };
    await withNtfs(fill, async (fileSystem) => {
      const targets = { relative: '../dir/Größe', absolute: '/Users/x', junction: '/Data', linux: '/usr/lib/ö' };
      for (const [name, target] of Object.entries(targets)) {
        const node = await find(fileSystem, name);
        assert.equal(`${Buffer.from(await fileSystem.readLink(node))}`, target);
        const { kind, size } = await fileSystem.stat(node);
        assert.deepEqual([kind, size], ['symlink', Buffer.byteLength(target)]);
      }
      const deduplicated = await find(fileSystem, 'deduplicated');
      assert.equal((await fileSystem.stat(deduplicated)).kind, 'file');
      const refused = unsupported(/record \d+ is deduplicated by Windows Server/);
      await assert.rejects(fileSystem.read(deduplicated, new Uint8Array(1), 0), refused);
    });
  });

  test('owners, modes and devices of Linux are kept in attributes of their own', async () => {
    const entry = (name: string, ...numbers: number[]) => {
      const value = Buffer.from(Uint32Array.from(numbers).buffer);
      const head = Buffer.from([0, 0, 0, 0, 0, name.length, value.length, 0]);
      const whole = Buffer.concat([head, Buffer.from(`${name}\0`), value]);
      return Buffer.concat([whole, Buffer.alloc((4 - (whole.length % 4)) % 4)]);
    };
    const fill = async (directory: string) => {
      const at = (name: string) => join(directory, name);
      await run('mknod', [at('device'), 'c', '5', '300']);
      await run('mkfifo', [at('fifo')]);
      fs.symlinkSync('/a/Größe', at('link'));
      fs.writeFileSync(at('file'), '');
      const entries = [entry('$LXUID', 1000), entry('$LXGID', 50), entry('$LXMOD', 0o104750)];
      for (const each of entries) each.writeUInt32LE(each.length);
      await run('setfattr', ['-n', 'system.ntfs_ea', '-v', `0x${Buffer.concat(entries).toString('hex')}`, at('file')]);
    };
    const check: Check = async (fileSystem) => {
      const told = async (name: string) => await fileSystem.stat(await find(fileSystem, name));
      const { kind, device } = await told('device');
      assert.deepEqual([kind, device], ['character', { major: 5, minor: 300 }]);
      assert.equal((await told('fifo')).kind, 'fifo');
      assert.equal(`${Buffer.from(await fileSystem.readLink(await find(fileSystem, 'link')))}`, '/a/Größe');
      const { uid, gid, mode } = await told('file');
      assert.deepEqual([uid, gid, mode], [1000, 50, 0o4750]);
    };
    await withNtfs(fill, check, { options: 'loop,special_files=wsl' });
  });

  test('streams are attributes, but for those that are too long for that', async () => {
    const fill = (directory: string) => {
      const path = join(directory, 'file');
      fs.writeFileSync(path, 'content');
      fs.writeFileSync(`${path}:long`, Buffer.alloc(65_536, 'l'));
      fs.writeFileSync(`${path}:too long`, Buffer.alloc(65_537, 'l'));
      fs.writeFileSync(`${path}:Größe`, 'short');
    };
    const check: Check = async (fileSystem) => {
      const attributes = await fileSystem.extendedAttributes(await find(fileSystem, 'file'));
      const lengths = Object.fromEntries([...attributes].map(([name, value]) => [name, value.length]));
      assert.deepEqual(lengths, { 'user.long': 65_536, 'user.Größe': 5 });
    };
    await withNtfs(fill, check, { options: 'loop,streams_interface=windows' });
  });

  test('a list of free space with holes is CORRUPT, as they would be called free', async () => {
    await withNtfs(nothing, async (_fileSystem, device) => {
      await editRecord(device, 6, (record) => {
        const runs = placeOf(record, 0x80) + record.readUInt16LE(placeOf(record, 0x80) + 32);
        // One run of as many clusters, without a place.
        record[runs] = record[runs]! & 0xf;
        record.fill(0, runs + 1 + record[runs]!, runs + 8);
      });
      await using broken = await ntfs.open(device, { name: 'sample' });
      await assert.rejects(Array.fromAsync(broken.freeRanges()), corrupt(/\$Bitmap has holes/));
    });
  });

  test('encrypted files are refused by name, and what is past what was written is zeros', async () => {
    await withNtfs(
      (directory) => fs.writeFileSync(join(directory, 'file'), Buffer.alloc(10_000, 'x')),
      async (fileSystem, device) => {
        const node = await find(fileSystem, 'file');
        await editRecord(device, node, (record) => record.writeUInt32LE(6000, placeOf(record, 0x80) + 56));
        await using shorter = await ntfs.open(device, { name: 'sample' });
        assert.equal(await textOf(shorter, 'file'), 'x'.repeat(6000) + '\0'.repeat(4000));
        const kinds = (await Array.fromAsync(shorter.extents(node))).map(({ kind, length }) => [kind, length]);
        assert.deepEqual(kinds, [
          ['data', 6000],
          ['zero', 4000],
        ]);
        await editRecord(device, node, (record) => record.writeUInt16LE(0x4000, placeOf(record, 0x80) + 12));
        await using encrypted = await ntfs.open(device, { name: 'sample' });
        assert.equal((await encrypted.stat(node)).size, 10_000);
        const refused = unsupported(/the data of the file of record \d+ is encrypted \(EFS\)/);
        await assert.rejects(encrypted.read(node, new Uint8Array(1), 0), refused);
      },
    );
  });

  test('long holes, and times before 1970 and after 2038', async () => {
    const length = 2 ** 40 + 5;
    const times = { 1700: -8_520_336_000, 1969: -1.5, 2400: 13_569_465_600.25 };
    const fill = async (directory: string) => {
      const file = fs.openSync(join(directory, 'hole'), 'w');
      fs.ftruncateSync(file, length);
      fs.writeSync(file, 'end', length - 3);
      fs.closeSync(file);
      for (const [name, seconds] of Object.entries(times)) {
        fs.writeFileSync(join(directory, name), '');
        const units = BigInt((seconds + 11_644_473_600) * 1000) * 10_000n;
        const value = `0x${units.toString(16).padStart(16, '0').repeat(3)}`;
        await run('setfattr', ['-n', 'system.ntfs_times_be', '-v', value, join(directory, name)]);
      }
    };
    await withNtfs(fill, async (fileSystem) => {
      const node = await find(fileSystem, 'hole');
      const extents = await Array.fromAsync(fileSystem.extents(node));
      assert.deepEqual(
        extents.map(({ kind }) => kind),
        ['hole', 'data'],
      );
      const target = Buffer.alloc(10);
      assert.equal(await fileSystem.read(node, target, length - 10), 10);
      assert.equal(target.toString('latin1'), `${'\0'.repeat(7)}end`);
      assert.ok((await fileSystem.stat(node)).allocated < 1 << 20);
      for (const [name, seconds] of Object.entries(times)) {
        const { modified } = await fileSystem.stat(await find(fileSystem, name));
        assert.equal(modified!.seconds + modified!.nanoseconds / 1e9, seconds);
      }
    });
  });

  test('a table in hundreds of pieces, and a directory of thousands of names', async () => {
    const nameOf = (index: number) => `${'name '.repeat(index % 9)}${index}`;
    let count = 0;
    const untilFull = (make: (index: number) => void): number => {
      for (let index = 0; ; index++) {
        try {
          make(index);
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
          return index;
        }
      }
    };
    const fill = (directory: string) => {
      const at = (...names: string[]) => join(directory, ...names);
      for (const name of ['filler', 'many']) fs.mkdirSync(at(name));
      // The disk is filled, and every other piece given back, so that the table grows into those.
      const made = untilFull((index) => fs.writeFileSync(at('filler', `${index}`), Buffer.alloc(2048, 1)));
      for (let index = 0; index < made; index += 2) fs.rmSync(at('filler', `${index}`));
      count = untilFull((index) => fs.writeFileSync(at('many', nameOf(index)), `${index}`));
      for (const index of [count, count + 1]) fs.rmSync(at('many', nameOf(index)), { force: true });
    };
    const check: Check = async (fileSystem) => {
      assert.ok((await Array.fromAsync(fileSystem.extents(0))).length > 300);
      const many = await find(fileSystem, 'many');
      let found = 0;
      for await (const { name, node } of fileSystem.readDirectory(many)) {
        assert.equal(await fileSystem.lookup(many, name), node);
        const content = Buffer.alloc(10);
        const length = await fileSystem.read(node, content, 0);
        assert.equal(`${Buffer.from(name)}`, nameOf(Number(content.toString('latin1', 0, length))));
        found += 1;
      }
      assert.equal(found, count);
      assert.ok(count > 1000);
    };
    await withNtfs(fill, check, { size: 12 << 20, args: ['-c', '1024'] });
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 100, 512, 1 << 20]) assert.equal(await ntfs.identify(memoryDevice(size)), undefined);
  });
});

function byUpperCase(one: string, other: string): number {
  const [a, b] = [one.toUpperCase(), other.toUpperCase()];
  return a < b || (a === b && one < other) ? -1 : 1;
}

/** A page at the start of $LogFile. */
function restartPage({ entry, client, flags = 0 }: { entry: number; client: number; flags?: number }): Buffer {
  const page = Buffer.alloc(4096);
  page.write('RSTR', 'latin1');
  page.writeUInt16LE(30, 4);
  page.writeUInt16LE(9, 6);
  page.writeUInt32LE(4096, 16);
  page.writeUInt32LE(4096, 20);
  page.writeUInt16LE(48, 24);
  page.writeBigUInt64LE(BigInt(entry), 48);
  page.writeUInt16LE(client, 48 + 12);
  page.writeUInt16LE(flags, 48 + 14);
  for (let place = 30; place < 48; place += 2) page.writeUInt16LE(place === 30 ? 77 : 0, place);
  for (let place = 510; place < 4096; place += 512) page.writeUInt16LE(77, place);
  return page;
}

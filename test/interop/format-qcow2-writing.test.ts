import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../src/base/varve-error.ts';
import { type BlockDevice, isResizable } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { type MemoryDevice, memoryDevice } from '../../src/block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { damaged, damages } from '../../src/conformance/image-format-damage.ts';
import { compressible } from '../../src/conformance/image-format-samples.ts';
import { followBackingFiles } from '../../src/format/backing-files.ts';
import type { CreateImageOptions, FormatDevice } from '../../src/format/image-format.ts';
import { qcow2Format } from '../../src/format/qcow2/qcow2.ts';
import { assertClean, type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const sector = 512;
const diskSize = 2 ** 20;

interface Step {
  readonly verb: 'write' | 'zero' | 'trim' | 'flush' | 'reopen' | 'qemu write' | 'qemu zero' | 'qemu discard';
  readonly start: number;
  readonly count: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom('write', 'write', 'zero', 'trim', 'flush', 'reopen', 'qemu write', 'qemu zero', 'qemu discard'),
  start: fc.integer({ min: 0, max: diskSize / sector - 1 }),
  count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: diskSize / sector })),
});

/** Ways to make the image: by us, or by qemu-img with options of its own. */
const makers: Readonly<Record<string, Omit<CreateImageOptions, 'size'> | string>> = {
  'ours, clusters of 64 KiB': {},
  'ours, clusters of 512 bytes': { clusterSize: 512 },
  'ours, version 2': { clusterSize: 4096, options: { compat: '0.10' } },
  'ours, extended L2 entries': { clusterSize: 2 ** 15, options: { extended_l2: 'on' } },
  'ours, lazy refcounts': { clusterSize: 4096, options: { lazy_refcounts: 'on' } },
  'qemu-img, clusters of 512 bytes': 'cluster_size=512',
  'qemu-img, clusters of 2 MiB': 'cluster_size=2M',
  'qemu-img, extended L2 entries': 'cluster_size=16k,extended_l2=on',
  'qemu-img, version 2': 'compat=0.10,cluster_size=1k',
  'qemu-img, refcounts of 1 bit': 'refcount_bits=1,cluster_size=1k',
  'qemu-img, refcounts of 4 bits': 'refcount_bits=4,cluster_size=4k',
  'qemu-img, refcounts of 64 bits': 'refcount_bits=64,cluster_size=512',
  'qemu-img, preallocated': 'preallocation=metadata,cluster_size=4k',
};

async function make(directory: ImageDirectory, maker: CreateImageOptions | object | string, base: string | undefined) {
  const path = directory.path('image');
  if (typeof maker === 'string') {
    const backing = base === undefined || maker.includes('preallocation') ? [] : ['-b', base, '-F', 'raw'];
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', maker, ...backing, path, `${diskSize}`);
    return path;
  }
  await using file = await openFileDevice(path, { createSize: 0 });
  assert.ok(isResizable(file));
  const backing = base === undefined ? {} : { backing: { name: base, format: 'raw' } };
  await qcow2Format.create!(file, { ...maker, ...backing, size: diskSize });
  return path;
}

async function openToWrite(path: string, directory: string): Promise<FormatDevice> {
  const openFile = (name: string): Promise<BlockDevice> => openFileDevice(name, { readOnly: true });
  const openBacking = await followBackingFiles({ path, allowed: [directory], openFile });
  return qcow2Format.open(await openFileDevice(path), { name: path, openBacking, writable: true });
}

async function apply(
  { count, start, verb }: Step,
  path: string,
  directory: string,
  expected: Uint8Array,
  seed: number,
) {
  const offset = start * sector;
  const length = Math.min(count * sector, diskSize - offset);
  if (verb.startsWith('qemu')) {
    const command = { 'qemu write': 'write -P 7', 'qemu zero': 'write -z', 'qemu discard': 'discard' }[
      verb as 'qemu zero'
    ];
    await qemuIo(path, `${command} ${offset} ${length}`);
    if (verb !== 'qemu discard') expected.fill(verb === 'qemu zero' ? 0 : 7, offset, offset + length);
    await using after = await openToWrite(path, directory);
    if (verb === 'qemu discard') expected.set(await contentOf(after, offset, length), offset);
    return;
  }
  await using disk = await openToWrite(path, directory);
  const source = pattern(length, seed);
  // Unaligned ends, too.
  const [from, to] = [offset + (seed % 3), offset + length - (seed % 2)];
  if (to <= from) return;
  if (verb === 'write') {
    await disk.write(source.subarray(0, to - from), from);
    expected.set(source.subarray(0, to - from), from);
  } else if (verb === 'zero') {
    await disk.zero(from, to - from);
    expected.fill(0, from, to);
  } else if (verb === 'trim') {
    await disk.trim(from, to - from);
    const trimmed = await contentOf(disk, from, to - from);
    assert.ok(
      trimmed.every((byte, index) => byte === 0 || byte === expected[from + index]),
      'trim',
    );
    expected.set(trimmed, from);
  } else if (verb === 'flush') await disk.flush();
}

describe('qcow2 images written in place', { skip }, () => {
  for (const [name, maker] of Object.entries(makers)) {
    test(`${name}: what we and qemu-io write in turns, both read, and qemu-img finds no fault`, async () => {
      const property = fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, hasBase) => {
        await using directory = await imageDirectory();
        const base = compressible(diskSize - 70_000, 1);
        if (hasBase) await directory.save('base', base);
        const path = await make(directory, maker, hasBase ? 'base' : undefined);
        const isBacked = hasBase && !`${maker}`.includes('preallocation');
        const expected = new Uint8Array(diskSize);
        if (isBacked) expected.set(base);
        for (const [index, one] of steps.entries()) await apply(one, path, directory.path(''), expected, index);
        await assertClean(path);
        const raw = await directory.save('expected', expected);
        await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, raw);
        await using disk = await openToWrite(path, directory.path(''));
        assertEqualBytes(await contentOf(disk), expected, 'ours');
      });
      await fc.assert(property, { numRuns: 4 });
    });
  }
});

interface QemuRun {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

/** Our map in the words of `qemu-img map --output=json`. */
async function ourRuns(disk: FormatDevice): Promise<QemuRun[]> {
  const runs = await Array.fromAsync(disk.map!(0, disk.size));
  return runs.map(({ depth, hostOffset, kind, length, offset, present }) => ({
    ...{ start: offset, length, depth, present, zero: kind !== 'data', data: kind === 'data' },
    ...(hostOffset === undefined ? {} : { offset: hostOffset }),
  }));
}

describe('qcow2 images made by others, written in place', { skip }, () => {
  test('map tells what qemu-img map does, down a chain of files', async () => {
    for (const options of ['cluster_size=4k', 'cluster_size=16k,extended_l2=on']) {
      await using directory = await imageDirectory();
      await directory.save('base', compressible(300_032, 1));
      const middle = directory.path('middle');
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'raw', '-o', options, middle, '600k');
      await qemuIo(middle, 'write -P 1 100k 50k', 'write -z 200k 32k', 'write -P 2 500k 20k');
      const path = directory.path('image');
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'middle', '-F', 'qcow2', '-o', options, path, '1M');
      {
        await using disk = await openToWrite(path, directory.path(''));
        await disk.write(pattern(30_000, 1), 40_960);
        await disk.zero(120 * 1024, 16_384);
        await disk.write(pattern(70_000, 2), 900_000);
        await disk.trim(900_000, 30_000);
      }
      await using disk = await openToWrite(path, directory.path(''));
      const expected: QemuRun[] = JSON.parse(await qemuImg('map', '--output=json', path));
      assert.deepEqual(
        await ourRuns(disk),
        expected.map(({ compressed: _, ...run }: QemuRun & { compressed?: boolean }) => run),
      );
    }
  });

  test('a disk is resized both ways, with snapshots and backing files, and qemu-img finds no fault', async () => {
    const kinds = [
      'cluster_size=512',
      'cluster_size=64k',
      'cluster_size=4k,compat=0.10',
      'cluster_size=16k,extended_l2=on',
    ];
    for (const [options, hasBase] of kinds.flatMap(
      (kind) =>
        [
          [kind, true],
          [kind, false],
        ] as const,
    )) {
      await using directory = await imageDirectory();
      const base = compressible(900 * 1024, 1);
      await directory.save('base', base);
      const path = directory.path('image');
      const backing = hasBase ? ['-b', 'base', '-F', 'raw'] : [];
      await qemuImg('create', '-q', '-f', 'qcow2', ...backing, '-o', options, path, '1M');
      let expected = new Uint8Array(2 ** 20);
      if (hasBase) expected.set(base);
      for (const [index, size] of [300_032, 5 * 2 ** 20, 700_416, 2 ** 20, 9 * 2 ** 20].entries()) {
        await using disk = await openToWrite(path, directory.path(''));
        const offset = disk.size - 100_000;
        await disk.write(pattern(60_000, index), offset);
        expected.set(pattern(60_000, index), offset);
        await disk.resize!(size);
        const resized = new Uint8Array(size);
        resized.set(expected.subarray(0, size));
        expected = resized;
        assertEqualBytes(await contentOf(disk), expected, `${options}, ${size}`);
        await disk.flush();
        await assertClean(path);
      }
      const raw = await directory.save('expected', expected);
      await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, raw);
    }
  });

  test('what snapshots hold stays as it was', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', path, '1M');
    await qemuIo(path, 'write -P 1 0 1M');
    await qemuImg('snapshot', '-c', 'before', path);
    {
      await using disk = await openToWrite(path, directory.path(''));
      await disk.write(pattern(200_000, 1), 100_001);
      await disk.zero(400_000, 100_000);
      await disk.trim(600_000, 100_000);
      await disk.resize!(2 ** 19);
    }
    await assertClean(path);
    const raw = directory.path('raw');
    await qemuImg('snapshot', '-a', 'before', path);
    await qemuImg('convert', '-O', 'raw', path, raw);
    assertEqualBytes(await readFile(raw), new Uint8Array(2 ** 20).fill(1), 'the snapshot');
  });

  test('an external data file is read and written, where it is allowed', async () => {
    for (const isRaw of ['off', 'on']) {
      await using directory = await imageDirectory();
      const path = directory.path('image');
      const options = `data_file=${directory.path('data')},data_file_raw=${isRaw}`;
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, '1M');
      await qemuIo(path, 'write -P 1 0 200k', 'write -P 2 700k 100k');
      const expected = new Uint8Array(2 ** 20).fill(1, 0, 200 * 1024).fill(2, 700 * 1024, 800 * 1024);
      const openPart = (name: string): Promise<BlockDevice> => openFileDevice(name);
      {
        await using disk = await qcow2Format.open(await openFileDevice(path), { name: path, writable: true, openPart });
        assertEqualBytes(await contentOf(disk), expected, 'before');
        await disk.write(pattern(70_000, 1), 150_001);
        expected.set(pattern(70_000, 1), 150_001);
        await disk.zero(720_000, 50_000);
        expected.fill(0, 720_000, 770_000);
        await disk.write(pattern(1000, 2), 0);
        expected.set(pattern(1000, 2), 0);
        await disk.resize!(2 ** 21);
        assertEqualBytes(await contentOf(disk, 0, 2 ** 20), expected, 'ours');
      }
      await assertClean(path);
      const raw = await directory.save('expected', Buffer.concat([expected, new Uint8Array(2 ** 20)]));
      await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, raw);
      if (isRaw === 'on') await qemuImg('compare', '-f', 'raw', '-F', 'raw', directory.path('data'), raw);
    }
  });

  test('one that was not closed is repaired, one that is corrupt is not opened to be written', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on,cluster_size=4k', path, '1M');
    await assert.rejects(qemuIo(path, 'write -P 1 0 300k', 'sigraise 9'));
    {
      await using disk = await openToWrite(path, directory.path(''));
      assert.equal(disk.information().dirty, false);
      await disk.write(pattern(1000, 1), 1000);
    }
    await assertClean(path);
    const bytes = await readFile(path);
    bytes[79] = 2;
    await writeFile(path, bytes);
    await assert.rejects(openToWrite(path, directory.path('')), {
      code: 'READ_ONLY',
      message: /says that it is corrupt/,
    });
  });

  test('unknown header extensions and a backing name stay, unknown autoclear features go', async () => {
    await using directory = await imageDirectory();
    await directory.save('base', new Uint8Array(2 ** 20));
    const path = directory.path('image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'raw', path, '1M');
    const bytes = await readFile(path);
    bytes[88] = 0x80;
    await writeFile(path, bytes);
    const before = (await readFile(path)).subarray(96, 65536);
    {
      await using _disk = await openToWrite(path, directory.path(''));
    }
    assert.deepEqual(await readFile(path), bytes, 'opening alone changes nothing');
    {
      await using disk = await openToWrite(path, directory.path(''));
      await disk.write(pattern(1000, 1), 0);
    }
    const after = await readFile(path);
    assert.equal(after[88], 0);
    assertEqualBytes(after.subarray(96, 65536), before, 'the rest of the header');
  });
});

describe('new qcow2 images', { skip }, () => {
  const kinds: Readonly<Record<string, { readonly ours: Omit<CreateImageOptions, 'size'>; readonly theirs: string }>> =
    {
      'as it comes': { ours: { compression: 'deflate' }, theirs: 'compat=1.1' },
      'with zstd': { ours: {}, theirs: 'compression_type=zstd' },
      'of version 2': { ours: { options: { compat: '0.10' } }, theirs: 'compat=0.10' },
      'with everything': {
        ours: { clusterSize: 2 ** 17, options: { extended_l2: 'on', lazy_refcounts: 'on', compat: '1.1' } },
        theirs: 'cluster_size=128k,extended_l2=on,lazy_refcounts=on,compression_type=zstd',
      },
      'with small clusters': { ours: { clusterSize: 512, compression: 'deflate' }, theirs: 'cluster_size=512' },
    };
  for (const [kind, { ours, theirs }] of Object.entries(kinds)) {
    test(`${kind}: are what qemu-img makes, with a backing file and without, of any size`, async () => {
      for (const size of [0, 512, 2 ** 20, 3 * 2 ** 30 + 512]) {
        await using directory = await imageDirectory();
        await directory.save('base', new Uint8Array(4096));
        for (const backing of [undefined, { name: 'base', format: 'raw' }]) {
          const [path, other] = [directory.path('ours'), directory.path('theirs')];
          {
            await rm(path, { force: true });
            await using file = await openFileDevice(path, { createSize: 0 });
            assert.ok(isResizable(file));
            await qcow2Format.create!(file, { ...ours, size, ...(backing === undefined ? {} : { backing }) });
          }
          const backingOptions = backing === undefined ? [] : ['-b', backing.name, '-F', backing.format];
          await qemuImg('create', '-q', '-f', 'qcow2', '-o', theirs, ...backingOptions, other, `${size}`);
          assert.deepEqual(await infoOf(path), await infoOf(other));
          await assertClean(path);
        }
      }
    });
  }

  test('may be as large as their tables can say', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('huge');
    const size = 2 ** 50;
    {
      await using file = await openFileDevice(path, { createSize: 0 });
      assert.ok(isResizable(file));
      await qcow2Format.create!(file, { size, clusterSize: 2 ** 21 });
    }
    {
      await using disk = await openToWrite(path, directory.path(''));
      await disk.write(pattern(5000, 1), size - 5000);
      await disk.zero(0, size - 2 ** 30);
      await disk.write(pattern(5000, 2), 2 ** 49 + 77);
      assertEqualBytes(await contentOf(disk, size - 5000, 5000), pattern(5000, 1), 'the end');
    }
    await assertClean(path);
    assert.match(await qemuIo(path, `read -P 0 ${2 ** 48} 64k`), /read 65536/);
  });
});

/** What `qemu-img info` says that does not hang on the file's name and time. */
async function infoOf(path: string): Promise<unknown> {
  const { filename: _, 'actual-size': __, ...rest } = JSON.parse(await qemuImg('info', '--output=json', path));
  return rest;
}

describe('damaged images of qemu-img that are written', { skip }, () => {
  const options = [
    'cluster_size=512,refcount_bits=1',
    'cluster_size=16k,extended_l2=on',
    'cluster_size=1k,compat=0.10',
  ];
  for (const [index, option] of options.entries()) {
    test(`${option}: requests end in an error with a code, or are done`, async () => {
      await using directory = await imageDirectory();
      const path = directory.path('image');
      const raw = await directory.save('disk.raw', compressible(300_032, 1));
      const compressed = index === 2 ? ['-c'] : [];
      await qemuImg('convert', ...compressed, '-f', 'raw', '-O', 'qcow2', '-o', option, raw, path);
      if (index > 0) await qemuImg('snapshot', '-c', 'one', path);
      const image = await readFile(path);
      const property = fc.asyncProperty(damages(image.length), async (changes) => {
        await writeHere(memoryDevice(damaged(image, changes)));
      });
      await fc.assert(property, { numRuns: 300 });
    });
  }
});

/** Changes this and that on a disk that may be damaged. */
async function writeHere(file: MemoryDevice): Promise<void> {
  try {
    await using disk = await qcow2Format.open(file, { name: 'sample.qcow2', writable: true });
    const end = Math.min(disk.size, 2 ** 20);
    if (end < 8192) return;
    for (const offset of [100, 40_000, end - 5000])
      await disk.write(pattern(3000, offset), Math.min(offset, end - 3000));
    await disk.zero(5001, Math.min(50_000, end - 5001));
    await disk.trim(0, end);
    await disk.flush();
    await disk.resize?.(2 ** 21);
  } catch (error) {
    const codes = ['CORRUPT', 'UNSUPPORTED', 'PERMISSION', 'READ_ONLY', 'NO_SPACE', 'INVALID', 'OUT_OF_RANGE'] as const;
    assert.ok(isVarveError(error, ...codes), `${error instanceof Error ? error.stack : error}`);
  }
}

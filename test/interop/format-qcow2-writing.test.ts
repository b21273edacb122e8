import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BlockDevice, isResizable } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
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
      await fc.assert(property, { numRuns: 6 });
    });
  }
});

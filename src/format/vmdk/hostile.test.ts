import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import type { BlockDevice } from '../../block/block-device.ts';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { damaged, damages, readOrRefusal } from '../../conformance/image-format-damage.ts';
import { mixedDisk } from '../../conformance/image-format-samples.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { encodeGrain } from './marker.ts';
import { vmdkFormat } from './vmdk.ts';

const name = 'test disk';

async function imageOf(source: BlockDevice, subformat: string): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vmdkFormat.write(source, target, { options: { subformat } });
  return target.bytes();
}

function open(image: Uint8Array, parts: Readonly<Record<string, Uint8Array>> = {}) {
  return vmdkFormat.open(memoryDevice(image, { readOnly: true }), {
    name,
    openPart: async (part) => memoryDevice(parts[part] ?? new Uint8Array(0), { readOnly: true }),
  });
}

function changed(image: Uint8Array, offset: number, ...fields: readonly (readonly [size: 2 | 4 | 8, value: bigint])[]) {
  const copy = new Uint8Array(image);
  const view = new DataView(copy.buffer);
  let position = offset;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(position, Number(value), true);
    else if (size === 4) view.setUint32(position, Number(value), true);
    else view.setBigUint64(position, value, true);
    position += size;
  }
  return copy;
}

test('fields of the header that cannot be are refused by name', async () => {
  const image = await imageOf(mixedDisk(3_000_320), 'monolithicSparse');
  const cases: [offset: number, size: 2 | 4 | 8, value: bigint, code: string, message: RegExp][] = [
    [4, 4, 4n, 'UNSUPPORTED', /version is 4/],
    [12, 8, 2n ** 63n, 'CORRUPT', /capacity is 9223372036854775808 sectors/],
    [12, 8, 2n ** 50n, 'CORRUPT', /capacity is/],
    [56, 8, 2n ** 63n, 'CORRUPT', /gdOffset is/],
    [64, 8, 2n ** 40n, 'CORRUPT', /cut off/],
    [12, 8, 2n ** 40n, 'CORRUPT', /grain tables/],
    [12, 8, 2n ** 36n, 'CORRUPT', /grain directory/],
    [20, 8, 0n, 'CORRUPT', /grainSize/],
    [20, 8, 100n, 'CORRUPT', /grainSize/],
    [20, 8, 2n ** 40n, 'CORRUPT', /grainSize/],
    [28, 8, 2n ** 40n, 'CORRUPT', /descriptor is not inside/],
    [36, 8, 20480n, 'CORRUPT', /descriptor of 10485760 bytes/],
    [44, 4, 0n, 'CORRUPT', /numGTEsPerGT/],
    [44, 4, 0xffff_ffffn, 'CORRUPT', /numGTEsPerGT/],
    [56, 8, 0xffff_ffff_ffff_ffffn, 'CORRUPT', /footer is missing/],
    [73, 4, 0x0a0a_0a0an, 'CORRUPT', /line ends/],
  ];
  for (const [offset, size, value, code, message] of cases) {
    await assert.rejects(open(changed(image, offset, [size, value])), { code, message }, `${offset}: ${value}`);
  }
  const compressed = await imageOf(mixedDisk(3_000_320), 'streamOptimized');
  const footer = compressed.length - 1024;
  await assert.rejects(open(changed(compressed, footer + 77, [2, 7n])), {
    code: 'UNSUPPORTED',
    message: /algorithm 7/,
  });
  await assert.rejects(open(changed(compressed, footer + 12, [8, 9n])), { code: 'CORRUPT', message: /contradicts/ });
});

test('a damaged directory is made good by the redundant one, and CORRUPT without', async () => {
  const source = mixedDisk(3_000_320);
  const image = await imageOf(source, 'monolithicSparse');
  const directory = 512 * 26;
  const outside = changed(image, directory, [4, 0xffff_fff0n]);
  await using disk = await open(outside);
  assertEqualBytes(await contentOf(disk), await contentOf(source), 'by the redundant directory');
  await using elsewhere = await open(changed(image, 56, [8, 2n ** 40n]));
  assertEqualBytes(await contentOf(elsewhere), await contentOf(source), 'by the redundant directory alone');
  await using without = await open(changed(outside, 8, [4, 1n]));
  await assert.rejects(contentOf(without), { code: 'CORRUPT', message: /test disk.*grain table at sector 4294967280/ });
});

test('a footer is found before zeros that somebody appended, and nothing else is', async () => {
  const source = mixedDisk(3_000_320);
  const image = await imageOf(source, 'streamOptimized');
  const padded = new Uint8Array(image.length + 10_000);
  padded.set(image);
  await using disk = await open(padded);
  assertEqualBytes(await contentOf(disk), await contentOf(source), 'with zeros after it');
  padded[padded.length - 1500] = 1;
  await assert.rejects(open(padded), { code: 'CORRUPT', message: /footer/ });
});

/** A compressed disk of one grain, with `grain` (marker and all) in its place. */
async function withGrain(grain: Uint8Array): Promise<Uint8Array> {
  const image = await imageOf(memoryDevice(pattern(65536, 1)), 'streamOptimized');
  const copy = new Uint8Array(Math.max(image.length, 65536 + grain.length));
  copy.set(image);
  copy.set(grain, 65536);
  return copy;
}

test('a grain that inflates without end, or not at all, is CORRUPT', async () => {
  const endless = deflateSync(new Uint8Array(20 * 2 ** 20));
  assert.ok(endless.length < 30_000);
  const short = deflateSync(pattern(1000, 1));
  const cases: [grain: Uint8Array, message: RegExp][] = [
    [encodeGrain(0, endless), /more than 65536 bytes/],
    [encodeGrain(0, short), /unpacks to 1000 bytes/],
    [encodeGrain(0, short.subarray(0, 500)), /does not unpack/],
    [encodeGrain(0, pattern(500, 2)), /does not unpack/],
    [changed(encodeGrain(0, short), 8, [4, 0xffff_ffffn]), /4294967295 compressed bytes/],
    [changed(encodeGrain(0, short), 8, [4, 0n]), /0 compressed bytes/],
  ];
  for (const [grain, message] of cases) {
    await using disk = await open(await withGrain(grain));
    await assert.rejects(contentOf(disk), { code: 'CORRUPT', message }, `${message}`);
  }
});

/** A sparse extent of ESX servers: two tables of grains of one sector, of which one is there. */
function cowdImage(): MemoryDevice {
  const [capacity, grainSize] = [4096 + 10, 1];
  const header = new ByteWriter(32);
  header.utf8('COWD');
  for (const field of [1, 3, capacity, grainSize, 4, 2, 0]) header.u32le(field);
  const image = memoryDevice(512 * 50);
  image.write(header.bytes, 0);
  image.write(Uint8Array.of(0, 0, 0, 0, 5, 0, 0, 0), 4 * 512);
  image.write(Uint8Array.of(0, 0, 0, 0, 40, 0, 0, 0, 41, 0, 0, 0), 5 * 512);
  image.write(pattern(1024, 9), 40 * 512);
  return image;
}

test('extents of ESX servers are read, alone and by a descriptor', async () => {
  const image = await contentOf(cowdImage());
  const expected = new Uint8Array((4096 + 10) * 512);
  expected.set(pattern(1024, 9), 4097 * 512);
  await using disk = await open(image);
  assertEqualBytes(await contentOf(disk), expected, 'alone');
  const descriptor = 'version=1\nCID=1\ncreateType="vmfsSparse"\nRW 4106 VMFSSPARSE "a-delta.vmdk"\n';
  await using described = await open(new TextEncoder().encode(descriptor), { 'a-delta.vmdk': image });
  assertEqualBytes(await contentOf(described), expected, 'by a descriptor');
  await assert.rejects(open(changed(image, 24, [4, 1n])), { code: 'CORRUPT', message: /numGDEntries/ });
  await assert.rejects(open(changed(image, 16, [4, 0n])), { code: 'CORRUPT', message: /grainSize/ });
});

function describedDisk(...extents: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`version=1\nCID=1\ncreateType="custom"\n${extents.join('\n')}\n`);
}

test('extents are put together in order: flat, zeros, sparse, the same file twice', async () => {
  const flat = pattern(4096, 3);
  const sparse = await imageOf(memoryDevice(pattern(1024, 4)), 'monolithicSparse');
  const descriptor = describedDisk(
    ...['RW 2 FLAT "a" 1', 'RW 3 ZERO', 'RDONLY 1 SPARSE "b"', 'RW 1 FLAT "a" 0', 'RW 8 VMFS "a"', 'RW 0 ZERO'],
  );
  await using disk = await open(descriptor, { a: flat, b: sparse });
  const expected = [flat.subarray(512, 1536), new Uint8Array(1536), pattern(1024, 4).subarray(0, 512)];
  assertEqualBytes(await contentOf(disk), Buffer.concat([...expected, flat.subarray(0, 512), flat]), 'the disk');
  assert.deepEqual(disk.information().parts, ['a', 'b']);
});

test('extents that cannot be are refused', async () => {
  const parts = { a: new Uint8Array(4096), b: await imageOf(memoryDevice(1024), 'monolithicSparse') };
  const cases: [extents: readonly string[], code: string, message: RegExp][] = [
    [['RW 9 FLAT "a" 0'], 'CORRUPT', /"a".*not in the file/],
    [['RW 8 FLAT "a" 1'], 'CORRUPT', /"a".*not in the file/],
    [['RW 3 SPARSE "b"'], 'CORRUPT', /"b".*holds 1024 bytes/],
    [['RW 2 SPARSE "a"'], 'CORRUPT', /"a".*magic/],
    [['RW 2 FLAT'], 'CORRUPT', /names no file/],
    [['NOACCESS 2 FLAT "a" 0'], 'UNSUPPORTED', /NOACCESS/],
    [['RW 2 SESPARSE "a"'], 'UNSUPPORTED', /SESPARSE/],
    [['RW 2 VMFSRDM "a"'], 'UNSUPPORTED', /VMFSRDM/],
    [[], 'CORRUPT', /no extents/],
    [Array(3).fill('RW 8000000000000 ZERO'), 'CORRUPT', /2\^53/],
  ];
  for (const [extents, code, message] of cases) {
    await assert.rejects(open(describedDisk(...extents), parts), { code, message }, extents.join());
  }
});

test('no other file is opened that nobody allowed; its name is told', async () => {
  const file = (bytes: Uint8Array) => memoryDevice(bytes, { readOnly: true });
  const part = describedDisk('RW 1 FLAT "/etc/shadow" 0');
  await assert.rejects(vmdkFormat.open(file(part), { name }), { code: 'PERMISSION', message: /"\/etc\/shadow"/ });
  const child = new TextEncoder().encode('version=1\nCID=1\nparentCID=2\nparentFileNameHint="/dev/sda"\nRW 1 ZERO\n');
  await assert.rejects(vmdkFormat.open(file(child), { name }), { code: 'PERMISSION', message: /"\/dev\/sda"/ });
  for (const each of [part, child]) {
    await using disk = await vmdkFormat.open(file(each), { name, informationOnly: true });
    assert.equal(disk.information().virtualSize, 512);
  }
  await using disk = await vmdkFormat.open(file(part), { name, informationOnly: true });
  await assert.rejects(contentOf(disk), { code: 'PERMISSION' });
});

test('a descriptor of 10 MB is refused', async () => {
  const long = Buffer.concat([describedDisk('RW 1 ZERO'), Buffer.alloc(10 * 2 ** 20, '#')]);
  await assert.rejects(open(long), { code: 'CORRUPT', message: /too many for a descriptor/ });
});

test('opening for writing is UNSUPPORTED', async () => {
  const image = memoryDevice(await imageOf(mixedDisk(512), 'streamOptimized'));
  await assert.rejects(vmdkFormat.open(image, { name, writable: true }), { code: 'UNSUPPORTED' });
});

test('damaged descriptors and ESX extents end in an error with a code, or in some content', async () => {
  const parts = { a: await contentOf(cowdImage()), b: pattern(4096, 1) };
  const descriptor = describedDisk('RW 4106 VMFSSPARSE "a"', 'RW 8 FLAT "b" 0', 'RW 3 ZERO');
  const described = fc.asyncProperty(damages(descriptor.length), async (damage) => {
    await readOrRefusal(() => open(damaged(descriptor, damage), parts), name);
  });
  await fc.assert(described, { numRuns: 150 });
  const esx = fc.asyncProperty(damages(parts.a.length), async (damage) => {
    await readOrRefusal(() => open(damaged(parts.a, damage)), name);
  });
  await fc.assert(esx, { numRuns: 150 });
});

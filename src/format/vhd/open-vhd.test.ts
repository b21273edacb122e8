import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf, extentsOf, pattern } from '../../conformance/device-content.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { formatNamed, openImage, probeFormat } from '../formats.ts';
import type { OpenBacking, WriteImageOptions } from '../image-format.ts';
import { encodeDynamicHeader, plainDynamicHeader } from './dynamic-header.ts';
import { encodeFooter, type VhdFooter } from './footer.ts';
import { diskSizeOf, geometryFor } from './geometry.ts';
import { vhdFormat } from './vhd.ts';

const sampleFooter: VhdFooter = {
  dataOffset: 512,
  timestamp: 1,
  creatorApplication: 'win ',
  currentSize: 65536,
  geometry: { cylinders: 1, heads: 4, sectorsPerTrack: 17 },
  type: 'dynamic',
  uniqueId: '01234567-89ab-cdef-0123-456789abcdef',
};
const parentId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';

async function imageOf(content: Uint8Array, options: WriteImageOptions = {}): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vhdFormat.write(memoryDevice(content), target, options);
  return target.bytes();
}

const open = (bytes: Uint8Array, openBacking?: OpenBacking) =>
  openImage(memoryDevice(bytes), { name: 'sample.vhd', format: 'vhd', ...(openBacking && { openBacking }) });

/** A disk of 64 KiB in blocks of 16 KiB, of which only the second is there; of that, `bits` says which sectors are. */
function differencing(bits: readonly number[], type: VhdFooter['type'] = 'differencing'): Uint8Array {
  const footer = encodeFooter({ ...sampleFooter, type });
  const name = Buffer.from('..\\base.vhd', 'utf16le');
  const bytes = new Uint8Array(4096 + 512 + 16384 + 512);
  bytes.set(footer);
  const header = {
    ...plainDynamicHeader(1536, 4, 16384),
    parentUniqueId: parentId,
    parentName: 'base.vhd',
    parentLocators: [{ platform: 'W2ru', length: name.length, offset: 2048 }],
  };
  bytes.set(encodeDynamicHeader(header), 512);
  bytes.fill(0xff, 1536, 1536 + 16);
  new DataView(bytes.buffer).setUint32(1536 + 4, 4096 / 512);
  bytes.set(name, 2048);
  for (const sector of bits) bytes[4096 + (sector >>> 3)]! |= 0x80 >>> (sector & 7);
  bytes.fill(7, 4096 + 512, 4096 + 512 + 16384);
  bytes.set(footer, bytes.length - 512);
  return bytes;
}

/** A parent of 64 KiB of ones. */
const parent = (uniqueId: string): Uint8Array => {
  const footer = encodeFooter({ ...sampleFooter, type: 'fixed', dataOffset: undefined, uniqueId });
  return Buffer.concat([new Uint8Array(65536).fill(1), footer]);
};

describe('the size of a VHD', () => {
  const geometry = { cylinders: 10, heads: 4, sectorsPerTrack: 17 };
  test('is what the geometry says for creators that go by it, and Current Size for the others', () => {
    const size = (creatorApplication: string): number =>
      diskSizeOf({ ...sampleFooter, creatorApplication, geometry, currentSize: 400_000 });
    for (const creator of ['vpc ', 'vs  ', 'qemu', 'vbox']) assert.equal(size(creator), 10 * 4 * 17 * 512, creator);
    for (const creator of ['win ', 'qem2', 'd2v ', 'tap\0', 'CTXS', 'wa\0\0'])
      assert.equal(size(creator), 399_872, creator);
  });

  test('is Current Size where the geometry is the largest there is', () => {
    const largest = { cylinders: 65535, heads: 16, sectorsPerTrack: 255 };
    assert.equal(diskSizeOf({ ...sampleFooter, creatorApplication: 'vpc ', geometry: largest }), 65536);
  });

  test('in a new geometry is exact, or the geometry is the largest', () => {
    assert.deepEqual(geometryFor(65535 * 16 * 63 * 512), {
      cylinders: 16191,
      heads: 16,
      sectorsPerTrack: 255,
    } as const);
    for (const size of [0, 512, 34816, 2 ** 20, 2 ** 30, 2 ** 40, 1008 * 16 * 63 * 512]) {
      const found = geometryFor(size);
      const sectors = found.cylinders * found.heads * found.sectorsPerTrack;
      assert.ok(sectors * 512 === size || sectors === 65535 * 16 * 255, `${size}`);
    }
  });
});

describe('which footer counts', () => {
  test('vhd is another name for vpc', () => assert.equal(formatNamed('vhd').name, 'vpc'));

  test('a fixed VHD is told by its end, and raw disks are not', async () => {
    const fixed = await imageOf(pattern(100_352, 1), { options: { subformat: 'fixed' } });
    assert.equal((await probeFormat(memoryDevice(fixed), 'x')).name, 'vpc');
    assert.equal((await probeFormat(memoryDevice(fixed.subarray(0, 100_352)), 'x')).name, 'raw');
    // A footer that describes another disk than what is before it is somebody's data.
    const inside = Buffer.concat([new Uint8Array(512), fixed.subarray(512 * 3)]);
    assert.ok(vhdFormat.probe(inside, inside.length, inside.subarray(-512)) < 100);
  });

  test('what the guest of a fixed disk writes into its first sector changes nothing', async () => {
    const content = pattern(100_352, 1);
    content.set(differencing([]).subarray(0, 2048));
    const fixed = await imageOf(content, { options: { subformat: 'fixed' } });
    await using disk = await open(fixed);
    assert.equal(disk.information().backing, undefined);
    assert.equal(Buffer.compare(await contentOf(disk), content), 0);
  });

  test('one of 511 bytes is read as well', async () => {
    const content = pattern(69_632, 2);
    const fixed = await imageOf(content, { options: { subformat: 'fixed' } });
    assert.equal(fixed.at(-1), 0);
    const old = fixed.subarray(0, -1);
    assert.equal((await probeFormat(memoryDevice(old), 'x')).name, 'vpc');
    await using disk = await open(old);
    assert.equal(Buffer.compare(await contentOf(disk), content), 0);
  });

  test('where the one at the end is damaged its copy serves, and check tells', async () => {
    const content = pattern(100_352, 3);
    const image = await imageOf(content);
    image[image.length - 100] = 1;
    await using disk = await open(image);
    assert.equal(disk.information().corrupt, true);
    assert.equal(Buffer.compare(await contentOf(disk), content), 0);
    const report = await vhdFormat.check!(memoryDevice(image), { name: 'x' });
    assert.equal(report.corruptions, 1);
    for (const cut of [0, 300, 512]) {
      const file = memoryDevice(image.subarray(0, image.length - cut));
      const { corruptions, corruptionsFixed } = await vhdFormat.check!(file, { name: 'x', repair: 'all' });
      assert.deepEqual([corruptions, corruptionsFixed], [0, 1]);
      assert.equal((await vhdFormat.check!(file, { name: 'x' })).corruptions, 0);
      assert.equal(file.size, image.length);
      await using repaired = await open(await contentOf(file));
      assert.equal(Buffer.compare(await contentOf(repaired), content), 0);
    }
    image[100] = 1;
    await assert.rejects(open(image), { code: 'CORRUPT', message: /sample\.vhd.*Checksum/ });
  });
});

describe('a differencing VHD', () => {
  const asked: unknown[] = [];
  const opener =
    (id: string): OpenBacking =>
    async (name, format) => {
      asked.push([name, format]);
      return openImage(memoryDevice(parent(id)), { name, format });
    };

  test('takes from its parent what its bitmaps do not claim', async () => {
    await using disk = await open(differencing([0, 1, 9, 31]), opener(parentId));
    assert.deepEqual(asked, [['../base.vhd', 'vpc']]);
    assert.deepEqual(disk.information().backing, { name: '../base.vhd', format: 'vpc' });
    const content = await contentOf(disk);
    const sectors = Array.from({ length: 128 }, (_, sector) => content[sector * 512]);
    const own = [32, 33, 41, 63];
    assert.deepEqual(
      sectors,
      Array.from({ length: 128 }, (_, sector) => (own.includes(sector) ? 7 : 1)),
    );
    const mapped = await Array.fromAsync(disk.map!(0, disk.size));
    assert.deepEqual(
      mapped.map(({ depth, hostOffset, length, offset }) => [offset / 512, length / 512, depth, hostOffset]),
      [
        [0, 32, 1, 0],
        [32, 2, 0, 4608],
        [34, 7, 1, 34 * 512],
        [41, 1, 0, 4608 + 9 * 512],
        [42, 21, 1, 42 * 512],
        [63, 1, 0, 4608 + 31 * 512],
        [64, 64, 1, 64 * 512],
      ],
    );
  });

  test('refuses another parent, and to open one that nobody allowed', async () => {
    const stranger = opener('00000000-1111-2222-3333-444444444444');
    await assert.rejects(open(differencing([0]), stranger), { code: 'CORRUPT', message: /sample\.vhd.*Unique Id/ });
    await assert.rejects(open(differencing([0])), { code: 'PERMISSION', message: /base\.vhd/ });
    const told = await vhdFormat.open(memoryDevice(differencing([0])), { name: 'x', informationOnly: true });
    assert.equal(told.information().backing?.name, '../base.vhd');
  });
});

test('sectors of a dynamic disk that were never written read as zeros, whatever is in their place', async () => {
  await using disk = await open(differencing([4], 'dynamic'));
  const content = await contentOf(disk);
  assert.deepEqual([content[35 * 512], content[36 * 512], content[37 * 512]], [0, 7, 0]);
  assert.deepEqual(
    (await extentsOf(disk)).map(({ kind }) => kind),
    ['hole', 'data', 'hole'],
  );
});

test('check finds blocks that lie on one another, on a table and past the end', async () => {
  const image = await imageOf(pattern(2 ** 20, 1), { clusterSize: 2 ** 19 });
  const check = () => vhdFormat.check!(memoryDevice(image), { name: 'x' });
  const clean = await check();
  assert.equal(clean.corruptions, 0, clean.problems.join());
  assert.deepEqual(clean.clusters, { total: 2, allocated: 2, compressed: 0, fragmented: 0 });
  assert.equal(clean.imageEndOffset, image.length);
  const view = new DataView(image.buffer);
  const [first, second] = [view.getUint32(1536), view.getUint32(1540)];
  for (const place of [first + 1, 1, 0x00ff_ffff, first]) {
    view.setUint32(1540, place);
    assert.ok((await check()).corruptions > 0, `${place}`);
  }
  view.setUint32(1540, second);
  assert.equal((await check()).corruptions, 0);
});

test('what tables claim that cannot be is CORRUPT by its field', async () => {
  const header = plainDynamicHeader(1536, 4, 16384);
  const cases: readonly [Partial<typeof header>, RegExp][] = [
    [{ blockSize: 1000 }, /Block Size/],
    [{ blockSize: 256 }, /Block Size/],
    [{ maxTableEntries: 3 }, /Max Table Entries/],
    [{ tableOffset: 2 ** 40 }, /Table Offset/],
  ];
  for (const [change, message] of cases) {
    const image = differencing([], 'dynamic');
    image.set(encodeDynamicHeader({ ...header, ...change }), 512);
    await assert.rejects(open(image), { code: 'CORRUPT', message });
  }
  const far = differencing([], 'dynamic');
  for (const at of [0, far.length - 512]) far.set(encodeFooter({ ...sampleFooter, dataOffset: 2 ** 50 }), at);
  await assert.rejects(open(far), { code: 'CORRUPT', message: /Data Offset/ });
});

test('options that make no sense are INVALID, and so is a disk that is too large', async () => {
  const wrong: WriteImageOptions[] = [
    { compression: 'zstd' },
    { clusterSize: 1000 },
    { clusterSize: 4096 },
    { options: { subformat: 'round' } },
    { options: { colour: 'blue' } },
    { options: { force_size: 'off' } },
    { options: { subformat: 'fixed' }, clusterSize: 2 ** 21 },
  ];
  for (const options of wrong) await assert.rejects(imageOf(pattern(512, 1), options), { code: 'INVALID' });
  const target = memoryTarget({ seekable: true, zeroed: true });
  await assert.rejects(vhdFormat.write(memoryDevice(2041 * 2 ** 30), target), { code: 'INVALID', message: /2040 GiB/ });
});

test('measure tells the size of the file', async () => {
  const content = new Uint8Array(5 * 2 ** 20);
  content.set(pattern(100_000, 1), 2 ** 20);
  for (const options of [{}, { clusterSize: 2 ** 19 }, { options: { subformat: 'fixed' } }]) {
    const { fullyAllocated, required } = await vhdFormat.measure!(memoryDevice(content), options);
    assert.equal(required, (await imageOf(content, options)).length);
    assert.ok(fullyAllocated >= 5 * 2 ** 20);
  }
});

test('writing in place is UNSUPPORTED by name', async () => {
  const opening = vhdFormat.open(memoryDevice(await imageOf(pattern(512, 1))), { name: 'sample.vhd', writable: true });
  await assert.rejects(opening, { code: 'UNSUPPORTED', message: /sample\.vhd/ });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { newGuid, zeroGuid } from '../../bytes/guid.ts';
import { contentOf, extentsOf, pattern } from '../../conformance/device-content.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import { openImage } from '../formats.ts';
import type { OpenBacking, WriteImageOptions } from '../image-format.ts';
import { blockState, putEntry } from './bat.ts';
import { putChecksum } from './checksum.ts';
import { type DiskParameters, metadataItems } from './disk-parameters.ts';
import { encodeHeader, encodeIdentifier } from './file-header.ts';
import { encodeMetadata, type MetadataContent, metadataFlag, metadataItem } from './metadata.ts';
import { encodeParentLocator } from './parent-locator.ts';
import { encodeRegions } from './region-table.ts';
import { vhdxFormat } from './vhdx.ts';

const mebibyte = 2 ** 20;
const dataWriteGuid = newGuid();
const plain: DiskParameters = {
  ...{ blockSize: mebibyte, leavesBlocksAllocated: false, hasParent: false, size: 4 * mebibyte },
  ...{ diskId: newGuid(), logicalSectorSize: 512, physicalSectorSize: 4096 },
};

/** An image of 8 MiB: metadata at 2 MiB, BAT at 3 MiB, a sector bitmap at 4 MiB, and blocks of fives from 5 MiB on. */
function image(
  parameters: DiskParameters,
  entries: readonly (readonly [number, number, number])[],
  more: MetadataContent[] = [],
) {
  const bytes = new Uint8Array(8 * mebibyte);
  const header = {
    ...{ sequenceNumber: 1n, fileWriteGuid: newGuid(), dataWriteGuid, logGuid: zeroGuid },
    ...{ logLength: mebibyte, logOffset: mebibyte },
  };
  const regions = encodeRegions({
    bat: { offset: 3 * mebibyte, length: mebibyte },
    metadata: { offset: 2 * mebibyte, length: mebibyte },
  });
  bytes.set(encodeIdentifier('test'));
  bytes.set(encodeHeader(header), 65536);
  bytes.set(encodeHeader({ ...header, sequenceNumber: 2n }), 131072);
  bytes.set(regions, 196608);
  bytes.set(regions, 262144);
  bytes.set(encodeMetadata([...metadataItems(parameters), ...more]), 2 * mebibyte);
  const bat = new DataView(bytes.buffer, 3 * mebibyte);
  for (const [index, state, offset] of entries) putEntry(bat, index * 8, state, offset * mebibyte);
  bytes.fill(5, 5 * mebibyte);
  return bytes;
}

const open = (bytes: Uint8Array, openBacking?: OpenBacking) =>
  openImage(memoryDevice(bytes), { name: 'sample.vhdx', format: 'vhdx', ...(openBacking && { openBacking }) });

async function imageOf(content: Uint8Array, options: WriteImageOptions = {}): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vhdxFormat.write(memoryDevice(content), target, options);
  return target.bytes();
}

test('every state of a block reads as it should in a disk without a parent', async () => {
  const states = [blockState.fullyPresent, blockState.zero, blockState.unmapped, blockState.undefined];
  await using disk = await open(
    image(
      plain,
      states.map((state, index) => [index, state, 5] as const),
    ),
  );
  const content = await contentOf(disk);
  for (const [block, byte] of [5, 0, 0, 0].entries()) assert.equal(content[block * mebibyte + 77], byte, `${block}`);
  assert.deepEqual(
    (await extentsOf(disk)).map(({ kind, length }) => [kind, length / mebibyte]),
    [
      ['data', 1],
      ['zero', 1],
      ['hole', 2],
    ],
  );
});

test('states that cannot be, and blocks outside the file, are CORRUPT', async () => {
  for (const [state, offset] of [
    [4, 5],
    [7, 5],
    [6, 0],
    [6, 8],
    [6, 2 ** 43],
  ] as const) {
    await using disk = await open(image(plain, [[0, state, offset]]));
    await assert.rejects(contentOf(disk), { code: 'CORRUPT', message: /sample\.vhdx/ }, `${state} ${offset}`);
    const report = vhdxFormat.check!(memoryDevice(image(plain, [[0, state, offset]])), { name: 'sample.vhdx' });
    if (offset < 2 ** 40) assert.equal((await report).corruptions > 0, true, `${state} ${offset}`);
    else await assert.rejects(report, { code: 'CORRUPT' });
  }
});

describe('a differencing VHDX', () => {
  const locator = (linkage: string): MetadataContent => {
    const values = {
      parent_linkage: `{${linkage.toUpperCase()}}`,
      relative_path: '..\\bases\\base.vhdx',
      absolute_win32_path: 'C:\\x\\base.vhdx',
    };
    const content = encodeParentLocator(new Map(Object.entries(values)));
    return { item: metadataItem.parentLocator, flags: metadataFlag.isRequired, content };
  };
  const parent = image(plain, [
    [0, 6, 5],
    [1, 6, 5],
    [2, 6, 5],
    [3, 6, 5],
  ]).fill(1, 5 * mebibyte);
  const child = { ...plain, hasParent: true };
  const asked: string[] = [];
  const opener: OpenBacking = async (name, format) => {
    asked.push(`${name} ${format}`);
    return openImage(memoryDevice(parent), { name, format });
  };

  for (const logicalSectorSize of [512, 4096]) {
    test(`takes from its parent what it does not have, in sectors of ${logicalSectorSize} bytes`, async () => {
      const chunkRatio = (2 ** 23 * logicalSectorSize) / mebibyte;
      const bytes = image(
        { ...child, logicalSectorSize },
        [
          [0, 7, 5],
          [1, 0, 0],
          [2, 6, 6],
          [3, 2, 0],
          [chunkRatio, 6, 4],
        ],
        [locator(dataWriteGuid)],
      );
      for (const sector of [0, 3, 8, 9, 255]) bytes[4 * mebibyte + (sector >> 3)]! |= 1 << (sector & 7);
      await using disk = await open(bytes, opener);
      assert.equal(asked.at(-1), '../bases/base.vhdx vhdx');
      const content = await contentOf(disk);
      const byteOf = (sector: number): number => content[sector * logicalSectorSize + 11]!;
      for (const sector of [0, 3, 8, 9, 255]) assert.equal(byteOf(sector), 5, `${sector}`);
      for (const sector of [1, 2, 4, 7, 10, 16, 254]) assert.equal(byteOf(sector), 1, `${sector}`);
      assert.deepEqual(
        [1, 2, 3].map((block) => content[block * mebibyte + 9]),
        [1, 5, 0],
      );
      const mapped = await Array.fromAsync(disk.map!(0, 5 * logicalSectorSize));
      assert.deepEqual(
        mapped.map(({ depth, length }) => [depth, length / logicalSectorSize]),
        [
          [0, 1],
          [1, 2],
          [0, 1],
          [1, 1],
        ],
      );
    });
  }

  test('refuses a parent that was written to since, none at all, and one that nobody allowed', async () => {
    const other = image(child, [], [locator(newGuid())]);
    await assert.rejects(open(other, opener), { code: 'CORRUPT', message: /parent_linkage/ });
    await assert.rejects(open(other), { code: 'PERMISSION', message: /base\.vhdx/ });
    const told = await vhdxFormat.open(memoryDevice(other), { name: 'x', informationOnly: true });
    assert.equal(told.information().backing?.name, '../bases/base.vhdx');
    await assert.rejects(open(image(child, []), opener), { code: 'CORRUPT', message: /parent locator/ });
    const partial = image(child, [[0, 7, 5]], [locator(dataWriteGuid)]);
    await using disk = await open(partial, opener);
    await assert.rejects(contentOf(disk), { code: 'CORRUPT', message: /no sector bitmap/ });
  });
});

describe('what a header or the metadata say that cannot be', () => {
  test('is CORRUPT by its field', async () => {
    const cases: readonly [Partial<DiskParameters>, RegExp][] = [
      [{ blockSize: mebibyte / 2 }, /BlockSize/],
      [{ blockSize: 3 * mebibyte }, /BlockSize/],
      [{ blockSize: 512 * mebibyte }, /BlockSize/],
      [{ size: 1000 }, /Virtual Disk Size/],
      [{ size: 2 ** 47 }, /Virtual Disk Size/],
      [{ logicalSectorSize: 1024 }, /Logical Sector Size/],
      [{ size: 2 ** 40 }, /BAT region/],
    ];
    for (const [change, message] of cases) {
      await assert.rejects(open(image({ ...plain, ...change }, [])), { code: 'CORRUPT', message });
    }
  });

  test('is UNSUPPORTED by name where it is required and not known', async () => {
    const item = newGuid();
    const content = new Uint8Array(8);
    const unknown = image(plain, [], [{ item, flags: metadataFlag.isRequired, content }]);
    await assert.rejects(open(unknown), { code: 'UNSUPPORTED', message: new RegExp(item) });
    await using disk = await open(image(plain, [], [{ item, flags: metadataFlag.isUser, content }]));
    assert.equal(disk.size, plain.size);
  });

  test('of two headers the good one counts, or the newer; of two region tables a good one', async () => {
    const bytes = image(plain, [[0, 6, 5]]);
    for (const place of [65536 + 100, 131072 + 100]) {
      const damaged = bytes.slice();
      damaged[place]! ^= 1;
      damaged[196608 + 100]! ^= 1;
      await using disk = await open(damaged);
      assert.equal(disk.size, plain.size);
      damaged[65536 + 200]! ^= 1;
      damaged[131072 + 200]! ^= 1;
      await assert.rejects(open(damaged), { code: 'CORRUPT', message: /headers/ });
    }
    const both = bytes.slice();
    both[196608 + 100]! ^= 1;
    both[262144 + 100]! ^= 1;
    await assert.rejects(open(both), { code: 'CORRUPT', message: /region tables/ });
  });

  test('regions on one another, and past the end, are CORRUPT', async () => {
    const bytes = image(plain, []);
    for (const [bat, message] of [
      [2, /lies on/],
      [1, /lies on/],
      [9, /past the end/],
    ] as const) {
      const regions = encodeRegions({
        bat: { offset: bat * mebibyte, length: mebibyte },
        metadata: { offset: 2 * mebibyte, length: mebibyte },
      });
      bytes.set(regions, 196608);
      await assert.rejects(open(bytes), { code: 'CORRUPT', message });
    }
    new DataView(bytes.buffer).setUint32(196608 + 8, 5000, true);
    putChecksum(bytes.subarray(196608, 262144));
    await assert.rejects(open(bytes), { code: 'CORRUPT', message: /EntryCount/ });
  });
});

test('check finds blocks on one another and on tables, and nothing in a good image', async () => {
  const check = (entries: readonly (readonly [number, number, number])[]) =>
    vhdxFormat.check!(memoryDevice(image(plain, entries)), { name: 'x' });
  const good = await check([
    [0, 6, 6],
    [1, 6, 5],
    [3, 6, 7],
  ]);
  assert.deepEqual(good.problems, []);
  assert.deepEqual(good.clusters, { total: 4, allocated: 3, compressed: 0, fragmented: 1 });
  assert.equal(good.imageEndOffset, 8 * mebibyte);
  for (const offset of [1, 2, 3, 5])
    assert.equal(
      (
        await check([
          [0, 6, 5],
          [1, 6, offset],
        ])
      ).corruptions,
      1,
      `${offset}`,
    );
});

test('options that make no sense are INVALID, and so is a disk that is too large', async () => {
  const wrong: WriteImageOptions[] = [
    { compression: 'zstd' },
    { clusterSize: 65536 },
    { clusterSize: 3 * mebibyte },
    { options: { subformat: 'round' } },
    { options: { colour: 'blue' } },
    { options: { block_size: '3M' } },
    { options: { block_size: 'large' } },
  ];
  for (const options of wrong) await assert.rejects(imageOf(pattern(512, 1), options), { code: 'INVALID' });
  const target = memoryTarget({ seekable: true, zeroed: true });
  await assert.rejects(vhdxFormat.write(memoryDevice(2 ** 47), target), { code: 'INVALID', message: /64 TiB/ });
});

test('measure tells the size of the file', async () => {
  const content = new Uint8Array(20 * mebibyte);
  content.set(pattern(100_000, 1), 9 * mebibyte);
  for (const options of [{}, { clusterSize: mebibyte }, { options: { subformat: 'fixed' } }]) {
    const { fullyAllocated, required } = await vhdxFormat.measure!(memoryDevice(content), options);
    assert.equal(required, (await imageOf(content, options)).length);
    assert.ok(fullyAllocated > 20 * mebibyte);
  }
});

test('block_size is another word for the cluster size', async () => {
  for (const [text, size] of [
    ['2M', 2 * mebibyte],
    ['0', 8 * mebibyte],
  ] as const) {
    await using disk = await open(await imageOf(pattern(512, 1), { options: { block_size: text } }));
    assert.equal(disk.information().clusterSize, size);
  }
});

test('two images of one disk have identities of their own', async () => {
  const ids = [];
  for (let turn = 0; turn < 2; turn += 1) {
    await using disk = await open(await imageOf(pattern(512, 1)));
    ids.push(disk.information().contentId);
  }
  assert.notEqual(ids[0], ids[1]);
});

test('a table of 512 MiB is read in pieces, and its holes passed over', async () => {
  const parameters = { ...plain, size: 64 * 2 ** 40 };
  const file = memoryDevice(image(parameters, []));
  file.write(
    encodeRegions({
      bat: { offset: 16 * mebibyte, length: 520 * mebibyte },
      metadata: { offset: 2 * mebibyte, length: mebibyte },
    }),
    196608,
  );
  file.resize(600 * mebibyte);
  await using disk = await openImage(file, { name: 'sample.vhdx' });
  assert.deepEqual(await extentsOf(disk, 32 * 2 ** 40, 2 ** 40), [
    { offset: 32 * 2 ** 40, length: 2 ** 40, kind: 'hole' },
  ]);
  assert.equal((await contentOf(disk, disk.size - 4096, 4096)).length, 4096);
});

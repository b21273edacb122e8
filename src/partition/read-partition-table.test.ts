import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bootRecord, diskId, gptDisk, linuxType, partitionId, sealed } from '../../test/partition/partitioned-disk.ts';
import { memoryDevice } from '../block/memory-device.ts';
import type { PartitionTable } from './partition-table.ts';
import { type ReadPartitionTableOptions, readPartitionTable } from './read-partition-table.ts';

async function tableOf(
  disk: Uint8Array,
  options: Partial<ReadPartitionTableOptions> = {},
): Promise<PartitionTable | undefined> {
  return await readPartitionTable(memoryDevice(disk), { name: 'my disk', ...options });
}

const two = [
  { number: 1, first: 64, last: 99, name: 'boot ⚡', attributes: 4n + 2n ** 63n },
  { number: 7, first: 100, last: 100 },
];

describe('GPT', () => {
  for (const sectorSize of [512, 4096] as const) {
    test(`with sectors of ${sectorSize} bytes`, async () => {
      const table = await tableOf(gptDisk(300, two, { sectorSize }));
      const first = { type: linuxType, typeName: 'Linux filesystem', kind: 'primary' } as const;
      assert.deepEqual(table, {
        ...{ scheme: 'gpt', sectorSize, id: diskId, problems: [] },
        partitions: [
          {
            ...{ ...first, number: 1, offset: 64 * sectorSize, length: 36 * sectorSize, id: partitionId(1) },
            ...{ name: 'boot ⚡', attributes: ['LegacyBIOSBootable', 'GUID:63'] },
          },
          {
            ...{ ...first, number: 7, offset: 100 * sectorSize, length: sectorSize, id: partitionId(7) },
            ...{ name: undefined, attributes: [] },
          },
        ],
      });
    });

    for (const [what, place] of [
      ['mark', 0],
      ['header', 50],
      ['entries', sectorSize + 40],
    ] as const) {
      test(`with sectors of ${sectorSize} bytes and damaged ${what} is read by the second copy`, async () => {
        const disk = gptDisk(300, two, { sectorSize });
        disk[sectorSize + place]! ^= 1;
        const table = await tableOf(disk);
        assert.deepEqual([table?.sectorSize, table?.partitions.map(({ number }) => number)], [sectorSize, [1, 7]]);
        assert.match(table?.problems.join() ?? '', /^the first copy of the table is not used: /);
      });
    }
  }

  test('a second copy that is damaged, or another one, is told of', async () => {
    const damaged = gptDisk(300, two);
    damaged[299 * 512 + 30]! ^= 1;
    assert.deepEqual((await tableOf(damaged))?.problems, [
      'the second copy of the table cannot be used: the checksum of its header is wrong',
    ]);
    const other = gptDisk(300, two.slice(1));
    const mixed = gptDisk(300, two);
    mixed.set(other.subarray(200 * 512), 200 * 512);
    assert.match(String((await tableOf(mixed))?.problems), /^the two copies of the table differ/);
    const enlarged = new Uint8Array(400 * 512);
    enlarged.set(gptDisk(300, two));
    assert.deepEqual((await tableOf(enlarged))?.problems, []);
  });

  test('with neither copy it is CORRUPT by name', async () => {
    const disk = gptDisk(300, two)
      .fill(0, 512, 1024)
      .fill(0, 299 * 512);
    await assert.rejects(tableOf(disk), { code: 'CORRUPT', message: /my disk.*neither copy/ });
  });

  test('entries may be longer, and there may be more or fewer of them', async () => {
    for (const [entryLength, entryCount] of [
      [256, 128],
      [128, 7],
      [512, 1024],
    ] as const) {
      const table = await tableOf(
        gptDisk(
          3000,
          two.map((each) => ({ ...each, first: each.last })),
          { entryLength, entryCount },
        ),
      );
      assert.deepEqual(
        table?.partitions.map(({ number }) => number),
        [1, 7],
      );
    }
  });

  test('counts, lengths and places that cannot be are refused without room being made for them', async () => {
    for (const [place, value] of [
      [80, 0xffff_ffff],
      [84, 0xffff_ffff],
      [84, 64],
      [84, 0],
      [76, 0x7fff_ffff],
      [12, 513],
      [12, 8],
    ] as const) {
      const disk = gptDisk(300, two);
      for (const start of [512, 299 * 512]) {
        const header = disk.subarray(start, start + 92);
        new DataView(header.buffer, header.byteOffset).setUint32(place, value, true);
        sealed(header);
      }
      await assert.rejects(tableOf(disk), { code: 'CORRUPT' }, `${value} at ${place}`);
    }
  });

  test('an entry that ends before it starts is left out, one that ends after the disk is told of', async () => {
    const table = await tableOf(
      gptDisk(300, [{ number: 2, first: 90, last: 80 }, { number: 3, first: 90, last: 2 ** 50 }, ...two]),
    );
    assert.deepEqual(
      table?.partitions.map(({ number }) => number),
      [1, 7],
    );
    assert.equal(table.problems.length, 2);
    const long = await tableOf(gptDisk(300, [{ number: 2, first: 90, last: 900 }]));
    assert.deepEqual(long?.problems, ['partition 2 ends after the disk']);
  });

  test('beside other entries of the boot record it counts; without its own entry it does not', async () => {
    const hybrid = gptDisk(300, two);
    hybrid.set(
      bootRecord([
        { type: 0x83, first: 64, count: 36 },
        { type: 0xee, first: 1, count: 60 },
      ]),
    );
    assert.equal((await tableOf(hybrid))?.scheme, 'gpt');
    const left = gptDisk(300, two);
    left.set(bootRecord([{ type: 0x83, first: 64, count: 36 }]));
    const table = await tableOf(left);
    assert.deepEqual([table?.scheme, table?.partitions.length], ['mbr', 1]);
  });
});

describe('MBR', () => {
  /** A disk of 1 MiB with boot records at some sectors. */
  function diskOf(records: Record<number, Parameters<typeof bootRecord>[0]>): Uint8Array {
    const disk = new Uint8Array(2 ** 20);
    for (const [sector, entries] of Object.entries(records)) disk.set(bootRecord(entries), Number(sector) * 512);
    return disk;
  }

  const extended = { type: 0x0f, first: 100, count: 1900 };
  const inChain = {
    0: [{ type: 0x83, first: 1, count: 9, bootable: true }, undefined, extended],
    100: [
      { type: 0x83, first: 2, count: 5 },
      { type: 5, first: 50, count: 20 },
    ],
    150: [{ type: 0x82, first: 1, count: 6 }],
  };

  test('primary, extended and logical ones have the numbers that Linux gives them', async () => {
    const table = await tableOf(diskOf(inChain));
    const rows = table?.partitions.map(({ id, kind, length, number, offset, type }) => [
      ...[number, kind, offset / 512, length / 512, type, id],
    ]);
    assert.deepEqual(rows, [
      [1, 'primary', 1, 9, '0x83', '12345678-01'],
      [3, 'extended', 100, 1900, '0x0f', '12345678-03'],
      [5, 'logical', 102, 5, '0x83', '12345678-05'],
      [6, 'logical', 151, 6, '0x82', '12345678-06'],
    ]);
    assert.deepEqual([table?.partitions[0]?.attributes, table?.problems], [['bootable'], []]);
  });

  test('counts in sectors of 4096 bytes where it is told to', async () => {
    const table = await tableOf(diskOf({ 0: [{ type: 0x83, first: 1, count: 2 }] }), { sectorSize: 4096 });
    assert.deepEqual([table?.partitions[0]?.offset, table?.partitions[0]?.length], [4096, 8192]);
  });

  test('a chain that comes back, that leads nowhere or is endless is broken off', async () => {
    const loop = await tableOf(diskOf({ ...inChain, 150: [undefined, { type: 5, first: 0, count: 9 }] }));
    assert.deepEqual([loop?.partitions.length, loop?.problems.length], [3, 1]);
    assert.match(loop?.problems[0] ?? '', /comes back .* at byte 51200/);
    const nowhere = await tableOf(diskOf({ ...inChain, 150: [undefined, { type: 5, first: 2 ** 31, count: 9 }] }));
    assert.match(nowhere?.problems[0] ?? '', /no boot record/);
    const links = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => [100 + index, [undefined, { type: 5, first: index + 1, count: 1 }]]),
    );
    const endless = await tableOf(diskOf({ 0: [extended], ...links }));
    assert.match(endless?.problems[0] ?? '', /over 256 links/);
  });

  test('what is no table is none: no mark, odd status bytes, a file system of Windows', async () => {
    assert.equal(await tableOf(new Uint8Array(0)), undefined);
    assert.equal(await tableOf(new Uint8Array(5000)), undefined);
    const code = diskOf({ 0: [{ type: 0x83, first: 1, count: 9 }] });
    code[446 + 32] = 0x65;
    assert.equal(await tableOf(code), undefined);
    for (const [place, name] of [
      [3, 'NTFS    '],
      [82, 'FAT32   '],
      [54, 'FAT16   '],
    ] as const) {
      const fat = diskOf({ 0: [] });
      fat[0] = 0xeb;
      fat.set(Buffer.from(name), place);
      assert.equal(await tableOf(fat), undefined);
    }
    assert.deepEqual((await tableOf(diskOf({ 0: [] })))?.partitions, []);
  });
});

test('every truncation gives a table, none, or CORRUPT', async () => {
  const disk = gptDisk(80, [{ number: 1, first: 40, last: 45 }]);
  for (let length = 0; length < disk.length; length += 128) await anyAnswer(disk.subarray(0, length));
});

test('changed bytes give a table, none, or CORRUPT, whatever they are', async () => {
  const mbr = new Uint8Array(65536);
  mbr.set(bootRecord([{ type: 5, first: 10, count: 100 }]));
  mbr.set(
    bootRecord([
      { type: 0x83, first: 2, count: 5 },
      { type: 5, first: 50, count: 20 },
    ]),
    5120,
  );
  mbr.set(bootRecord([{ type: 0x83, first: 2, count: 5 }]), 30720);
  const gpt = gptDisk(80, [{ number: 1, first: 40, last: 45 }]);
  const places = fc.oneof(fc.nat(1100), fc.integer({ min: 0, max: 40_959 }), fc.integer({ min: 5120, max: 5700 }));
  const change = fc.record({ place: places, value: fc.nat(255) });
  const isSealed = fc.boolean();
  const property = fc.asyncProperty(fc.array(change, { minLength: 1 }), isSealed, async (changes, seal) => {
    for (const good of [mbr, gpt]) {
      const disk = Uint8Array.from(good);
      for (const { place, value } of changes) disk[place] = value;
      // With a checksum that fits, what it protects is looked at.
      if (seal && good === gpt) sealed(disk.subarray(512, 604));
      await anyAnswer(disk);
    }
  });
  await fc.assert(property, { numRuns: 300 });
});

async function anyAnswer(disk: Uint8Array): Promise<void> {
  try {
    const table = await tableOf(disk);
    for (const { length, offset } of table?.partitions ?? []) assert.ok(offset >= 0 && length > 0);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'CORRUPT', `${error}`);
  }
}

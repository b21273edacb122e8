import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bootRecord,
  diskId,
  gptDisk,
  partitionId,
  type WantedEntry,
} from '../../../test/partition/partitioned-disk.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { readPartitionTable } from '../../partition/read-partition-table.ts';
import { type AlignedDisk, alignedDisk } from './aligned-disk.ts';

const mebibyte = 2 ** 20;

async function align(device: MemoryDevice, sectorSize?: 4096): Promise<AlignedDisk> {
  const table = await readPartitionTable(device, { name: 'disk', sectorSize });
  assert.ok(table !== undefined);
  return await alignedDisk(device, table, 'disk');
}

/** A disk of 8 MiB with these entries, and bytes at places. */
function mbrDisk(
  entries: readonly (WantedEntry | undefined)[],
  bytes: Readonly<Record<number, Uint8Array>> = {},
): MemoryDevice {
  const device = memoryDevice(8 * mebibyte);
  device.write(bootRecord(entries), 0);
  for (const [place, each] of Object.entries(bytes)) device.write(each, Number(place));
  return device;
}

async function read(
  device: { read(target: Uint8Array, offset: number): unknown },
  offset: number,
  length = 512,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await device.read(bytes, offset);
  return bytes;
}

/** A sector with text and numbers at places of it. */
function sector(parts: Readonly<Record<number, string>>, numbers: Readonly<Record<number, number>>): Buffer {
  const bytes = Buffer.alloc(512);
  for (const [place, text] of Object.entries(parts)) bytes.write(text, Number(place), 'latin1');
  for (const [place, value] of Object.entries(numbers)) bytes.writeUInt32LE(value, Number(place));
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

const fatWord = (hidden: number) => ({ 11: 512, 28: hidden });

describe('alignedDisk', () => {
  test('keeps the boot code, the signature and what is before the first partition', async () => {
    const device = mbrDisk([{ type: 0x83, first: 63, count: 100, bootable: true }], {
      512: Buffer.alloc(512 * 62, 'core'),
    });
    device.write(Buffer.alloc(440, 'code'), 0);
    const aligned = await align(device);
    const after = aligned.over(device);
    assert.deepEqual((await read(after, 0)).subarray(0, 446), (await read(device, 0)).subarray(0, 446));
    assert.deepEqual(await read(after, 512, 62 * 512), await read(device, 512, 62 * 512));
    assert.deepEqual(aligned.problems, []);
    assert.equal(after.size, device.size);
  });

  test('has FAT32 and NTFS know where they start now, in each copy, if they knew before', async () => {
    const [fat, ntfs] = [63 * 512, 200 * 512];
    const fat32 = sector({ 3: 'MSDOS5.0', 82: 'FAT32   ' }, { ...fatWord(63), 50: 6 });
    const ntfsBoot = sector({ 3: 'NTFS    ' }, { ...fatWord(200), 40: 99 });
    const entries = [
      { type: 0xc, first: 63, count: 100 },
      { type: 7, first: 200, count: 100 },
      { type: 0xc, first: 400, count: 100 },
    ];
    const other = sector({ 3: 'MSDOS5.0', 82: 'FAT32   ' }, { ...fatWord(7), 50: 6 });
    const device = mbrDisk(entries, {
      [fat]: fat32,
      [fat + 6 * 512]: fat32,
      [ntfs]: ntfsBoot,
      [ntfs + 99 * 512]: ntfsBoot,
      [400 * 512]: other,
    });
    const aligned = await align(device);
    const after = aligned.over(device);
    const hidden = async (place: number) => (await read(after, place)).readUInt32LE(28);
    const places = [mebibyte, mebibyte + 6 * 512, 2 * mebibyte, 2 * mebibyte + 99 * 512, 3 * mebibyte];
    assert.deepEqual(await Promise.all(places.map(hidden)), [2048, 2048, 4096, 4096, 7]);
    assert.match(aligned.problems.join(), /^Windows knows partitions by where they start/);
  });

  test('has GRUB Legacy find its second stage inside of a partition that has moved', async () => {
    const boot = sector({ 400: 'GRUB \0Geom\0' }, { 68: 80 });
    boot.set(await read(mbrDisk([{ type: 0x83, first: 63, count: 100 }]), 446, 64), 446);
    const stage = sector({ 380: 'Loading stage2' }, { 504: 81 });
    stage.writeUInt32LE(20 + 0x820 * 65536, 508);
    const device = mbrDisk([], { 0: boot, [80 * 512]: stage });
    const aligned = await align(device);
    assert.deepEqual(aligned.problems, []);
    const after = aligned.over(device);
    assert.equal((await read(after, 0)).readUInt32LE(68), 2048 + 17);
    const moved = await read(after, mebibyte + 17 * 512);
    assert.deepEqual([moved.readUInt32LE(504), moved.readUInt16LE(508)], [2048 + 18, 20]);
  });

  test('says which boot loaders are to be installed anew', async () => {
    const lilo = sector({ 6: 'LILO' }, {});
    const lost = sector({ 400: 'GRUB \0Geom\0' }, { 92: 300 });
    const device = mbrDisk(
      [
        { type: 0x83, first: 63, count: 100 },
        { type: 0x83, first: 163, count: 100 },
      ],
      {
        [63 * 512]: lilo,
        [163 * 512]: lost,
      },
    );
    assert.deepEqual((await align(device)).problems, [
      'LILO in the boot sector of partition 1 keeps where its files were: it is to be installed anew',
      'GRUB in the boot sector of partition 2 is to be installed anew: grub-install',
    ]);
  });

  test('lays out a GPT with sectors of 4096 bytes', async () => {
    const content = gptDisk(
      2000,
      [
        { number: 2, first: 6, last: 99, name: 'one' },
        { number: 7, first: 100, last: 1900 },
      ],
      { sectorSize: 4096 },
    );
    content.fill(7, 100 * 4096, 101 * 4096);
    const device = memoryDevice(content);
    const aligned = await align(device, 4096);
    const after = memoryDevice(await read(aligned.over(device), 0, aligned.size));
    const table = await readPartitionTable(after, { name: 'after' });
    assert.deepEqual(
      table?.partitions.map(({ id, name, number, offset }) => [number, offset, id, name]),
      [
        [2, mebibyte, partitionId(2), 'one'],
        [7, 2 * mebibyte, partitionId(7), undefined],
      ],
    );
    assert.deepEqual([table?.sectorSize, table?.id, table?.problems], [4096, diskId, []]);
    assert.equal(
      (await read(after, 2 * mebibyte, 4096)).every((byte) => byte === 7),
      true,
    );
    assert.ok(aligned.size > device.size);
  });

  for (const [what, entries, message] of [
    [
      'overlap',
      [
        { type: 0x83, first: 63, count: 100 },
        { type: 0x83, first: 100, count: 9 },
      ],
      /partition 2 overlaps partition 1/,
    ],
    ['start in the table', [{ type: 0x83, first: 0, count: 100 }], /partition 1 overlaps the partition table/],
    ['end after the disk', [{ type: 0x83, first: 63, count: 99999 }], /partition 1 ends after the disk/],
    ['count from the start of the disk', [{ type: 0xa5, first: 63, count: 99 }], /has a table of its own/],
  ] as const) {
    test(`refuses partitions that ${what}`, async () => {
      await assert.rejects(align(mbrDisk(entries)), message);
    });
  }

  test('takes any bytes for what they are, or refuses them', async () => {
    const entry = fc.record({
      type: fc.constantFrom(0x83, 7, 0xc, 5, 0xf),
      first: fc.integer({ min: 0, max: 9000 }),
      count: fc.integer({ min: 0, max: 9000 }),
    });
    const places = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.constantFrom('GRUB', 'NTFS', 'EXFAT', 'FAT32', 'EBR')),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 4 }),
        places,
        fc.infiniteStream(fc.nat(255)),
        async (entries, at, noise) => {
          const random = () => Uint8Array.from({ length: 512 }, () => noise.next().value ?? 0);
          const device = mbrDisk(entries);
          for (const [place, kind] of at) device.write(madeUp(kind, random()), place === 0 ? 512 : place * 512);
          try {
            const aligned = await align(device);
            const after = memoryDevice(await read(aligned.over(device), 0, aligned.size));
            const table = await readPartitionTable(after, { name: 'after' });
            assert.deepEqual(table?.partitions, aligned.table.partitions);
          } catch (error) {
            assert.ok(isVarveError(error), String(error));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** A sector with some of what is looked for in it, and rubbish otherwise. */
function madeUp(kind: string, noise: Uint8Array): Uint8Array {
  const bytes = Buffer.from(noise);
  if (kind === 'GRUB') bytes.write('GRUB \0Geom\0 loading', 380, 'latin1');
  if (kind === 'NTFS') bytes.write('NTFS    \0\x02', 3, 'latin1');
  if (kind === 'EXFAT') bytes.write('EXFAT   ', 3, 'latin1');
  if (kind === 'FAT32') bytes.write('FAT32   ', 82, 'latin1');
  if (kind === 'EBR')
    return bootRecord([
      { type: 0x83, first: bytes[0]!, count: bytes[1]! },
      { type: 5, first: bytes[2]! * 9, count: bytes[3]! },
    ]);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { VarveError } from '../../src/base/varve-error.ts';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { ForwardingDevice } from '../../src/filter/forwarding-device.ts';
import { statsFilter } from '../../src/filter/stats.ts';
import type { PartitionTable } from '../../src/partition/partition-table.ts';
import { readPartitionTable } from '../../src/partition/read-partition-table.ts';
import { bootRecord, gptDisk, sealed } from '../partition/partitioned-disk.ts';

/**
 * What reading a table may read, in bytes and requests: two copies of a GPT of the largest size in two sizes of sectors, or
 * the longest chain of boot records. Time and memory follow from it.
 */
const maximumRead = 17 * 2 ** 20;
const maximumReads = 300;
const diskSize = 2 ** 41;
const sectorCount = diskSize / 512;

/** A table, or undefined where a `CORRUPT` says why there is none; fails where too much is read. */
async function boundedTable(device: BlockDevice): Promise<PartitionTable | undefined> {
  const counted = statsFilter(device);
  try {
    return await readPartitionTable(counted, { name: 'hostile' });
  } catch (error) {
    assert.ok(error instanceof VarveError && error.code === 'CORRUPT', `${error}`);
    return undefined;
  } finally {
    const { count, totalLength } = counted.stats.read;
    assert.ok(totalLength <= maximumRead && count <= maximumReads, `${count} reads of ${totalLength} bytes`);
  }
}

/** A disk each sector of which is a boot record that leads some sectors on. */
class EndlessChain extends ForwardingDevice {
  readonly #step: number;

  constructor(step: number) {
    super(memoryDevice(diskSize));
    this.#step = step;
  }

  override read(target: Uint8Array, offset: number): void {
    const link = { type: 5, first: offset / 512 + this.#step - 1, count: 2 ** 32 - 1 };
    const record = bootRecord([{ type: 0x83, first: 1, count: 1 }, link]);
    for (let start = 0; start < target.length; start += 512)
      target.set(record.subarray(0, target.length - start), start);
  }
}

const word = fc.oneof(fc.nat(64), fc.nat(sectorCount - 1), fc.integer({ min: 2 ** 32 - 64, max: 2 ** 32 - 1 }));

suite('partition tables of a hostile disk of 2 TiB', () => {
  for (const step of [2, 1000, 2 ** 20]) {
    test(`a chain without an end, whose links are ${step} sectors apart, is broken off`, async () => {
      await using device = new EndlessChain(step);
      const table = await boundedTable(device);
      assert.ok(table !== undefined && table.partitions.length <= 4 + 2 * 256, `${table?.partitions.length}`);
      assert.match(table.problems.join(), /the chain of logical partitions has over 256 links/);
    });
  }

  test('links that lead anywhere, round in circles and past the end among them', async () => {
    const entry = fc.record({ type: fc.constantFrom(5, 0x0f, 0x85, 0x83, 0), first: word, count: word });
    const records = fc.array(fc.tuple(fc.nat(64), fc.array(entry, { maxLength: 4 })), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(records, async (links) => {
        await using device = memoryDevice(diskSize);
        for (const [sector, entries] of [...links, [0, [{ type: 5, first: 1, count: 64 }]] as const]) {
          device.write(bootRecord(entries), sector * 512);
        }
        const table = await boundedTable(device);
        assert.ok((table?.partitions.length ?? 0) <= 4 + 4 * 256);
      }),
    );
  });

  test('headers of a GPT with right checksums and any numbers in them', async () => {
    const field = fc.tuple(fc.constantFrom(12, 24, 28, 32, 36, 40, 48, 72, 76, 80, 84, 88), word);
    const fields = fc.array(field, { minLength: 1, maxLength: 6 });
    const good = gptDisk(80, [{ number: 1, first: 40, last: 45 }]).subarray(0, 40 * 512);
    await fc.assert(
      fc.asyncProperty(fields, fields, async (first, second) => {
        await using device = memoryDevice(diskSize);
        device.write(good, 0);
        for (const [changes, sector] of [[first, 1] as const, [second, sectorCount - 1] as const]) {
          const header = good.slice(512, 604);
          for (const [place, value] of changes) new DataView(header.buffer).setUint32(place, value, true);
          device.write(sealed(header), sector * 512);
        }
        await boundedTable(device);
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Partition } from '../../partition/partition-table.ts';
import { partitionAlignments } from './partition-alignments.ts';

function partition(number: number, sector: number, kind: Partition['kind'] = 'primary'): Partition {
  const rest = { type: '0x83', typeName: undefined, id: '', name: undefined, attributes: [] };
  return { ...rest, number, offset: sector * 512, length: 512, kind };
}

test('partitionAlignments tells the largest power of two, and leaves extended partitions out', () => {
  const partitions = [63, 64, 1024, 2048, 7, 8, 0].map((sector, index) => partition(index + 1, sector));
  const table = { scheme: 'mbr', sectorSize: 512, id: '', problems: [] } as const;
  assert.deepEqual(
    partitionAlignments({ ...table, partitions: [...partitions, partition(9, 1, 'extended')] }).map(
      ({ alignment, isOk, name, offset }) => [name, offset, alignment, isOk],
    ),
    [
      ['/dev/sda1', 32256, 512, false],
      ['/dev/sda2', 32768, 32768, true],
      ['/dev/sda3', 524288, 524288, true],
      ['/dev/sda4', 1048576, 1048576, true],
      ['/dev/sda5', 3584, 512, false],
      ['/dev/sda6', 4096, 4096, true],
      ['/dev/sda7', 0, 2 ** 52, true],
    ],
  );
});

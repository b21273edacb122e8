import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { faultFilter } from '../../filter/fault.ts';
import { statsFilter } from '../../filter/stats.ts';
import { TableCache } from './table-cache.ts';

const clusterSize = 512;
const content = pattern(clusterSize * 20, 1);

test('gives tables at once from a device that does, and keeps no more than it may', () => {
  const file = statsFilter(memoryDevice(content));
  const cache = new TableCache({ file, name: 'x', clusterSize, capacity: 4 });
  const get = (index: number): number => (cache.get(index * clusterSize) as DataView).getUint8(0);
  for (let index = 0; index < 20; index += 1) assert.equal(get(index), content[index * clusterSize]);
  assert.equal(file.stats.read.count, 20);
  for (const index of [19, 18, 17, 16, 16, 19]) get(index);
  assert.equal(file.stats.read.count, 20, 'the last four are there');
  get(0);
  for (const index of [16, 17, 19]) get(index);
  assert.equal(file.stats.read.count, 21, 'the least recently used one went, and that was 18');
  get(18);
  assert.equal(file.stats.read.count, 22);
});

test('reads a table once for all who wait for it', async () => {
  const file = statsFilter(delayFilter(memoryDevice(content)));
  const cache = new TableCache({ file, name: 'x', clusterSize, capacity: 4 });
  const tables = await Promise.all([cache.get(0), cache.get(512), cache.get(0), cache.get(512)]);
  assert.equal(tables[0], tables[2]);
  assert.equal(file.stats.read.count, 2);
  assert.equal(cache.get(512), tables[1]);
});

test('forgets a table that could not be read', async () => {
  const file = faultFilter(delayFilter(memoryDevice(content)), { rules: [{ operations: ['read'], times: 1 }] });
  const cache = new TableCache({ file, name: 'x', clusterSize, capacity: 4 });
  await assert.rejects(async () => cache.get(512), { code: 'IO' });
  assert.equal((await cache.get(512)).getUint8(0), content[512]);
});

test('refuses a table inside a cluster, or past the end of the file', () => {
  const cache = new TableCache({ file: memoryDevice(content), name: 'my.qcow2', clusterSize, capacity: 4 });
  assert.throws(() => cache.get(100), { code: 'CORRUPT', message: /my\.qcow2: an L2 table cannot be at byte 100/ });
  assert.throws(() => cache.get(content.length), { code: 'CORRUPT', message: /past the end/ });
});

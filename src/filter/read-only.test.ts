import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { readOnlyFilter } from './read-only.ts';

testBlockDevice('readOnlyFilter', (content) => readOnlyFilter(memoryDevice(content)), {
  synchronous: true,
  sparse: true,
  writable: false,
});

test('readOnlyFilter lets nothing be changed, and flushes nothing', () => {
  const below = Object.assign(memoryDevice(100), { flush: () => assert.fail('it was flushed') });
  const device = readOnlyFilter(below);
  assert.throws(() => device.write(new Uint8Array(1), 0), { code: 'READ_ONLY' });
  assert.throws(() => device.zero(0, 1), { code: 'READ_ONLY' });
  assert.throws(() => device.trim(0, 1), { code: 'READ_ONLY' });
  assert.equal(device.flush(), undefined);
});

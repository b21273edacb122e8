import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layoutFor, refcountClusters } from './layout.ts';

test('cluster sizes that qcow2 does not have are INVALID', () => {
  for (const clusterSize of [0, 1, 256, 1000, 65537, 2 ** 22, -512, Number.NaN]) {
    assert.throws(() => layoutFor(2 ** 30, { clusterSize }), { code: 'INVALID' }, `${clusterSize}`);
  }
});

test('a disk too large for its cluster size is INVALID, and says to choose larger clusters', () => {
  layoutFor(2 ** 37, { clusterSize: 512 });
  assert.throws(() => layoutFor(2 ** 37 + 1, { clusterSize: 512 }), { code: 'INVALID', message: /choose larger/ });
});

test('the size is rounded up to sectors, and there is always an L1 entry', () => {
  assert.deepEqual([layoutFor(0, {}).size, layoutFor(0, {}).l1Size], [0, 1]);
  assert.deepEqual([layoutFor(1, {}).size, layoutFor(2 ** 29 + 1, {}).l1Size], [512, 2]);
});

test('refcount blocks and their table are as many as count everything, themselves too, and no more', () => {
  const property = fc.property(
    fc.constantFrom(512, 4096, 65536),
    fc.oneof(fc.nat(3000), fc.nat(2 ** 31)),
    (clusterSize, otherClusters) => {
      const layout = layoutFor(0, { clusterSize });
      const { blockCount, tableClusters } = refcountClusters(layout, otherClusters);
      const total = otherClusters + blockCount + tableClusters;
      assert.equal(blockCount, Math.ceil(total / layout.refcountBlockEntries));
      assert.equal(tableClusters, Math.ceil((blockCount * 8) / clusterSize));
    },
  );
  fc.assert(property);
});

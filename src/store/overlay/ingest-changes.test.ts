import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ingest, temporaryStore } from '../../../test/store/temporary-store.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf, pattern } from '../../conformance/device-content.ts';
import { hexOf } from '../chunk.ts';
import { ContentMap } from '../content-map.ts';
import { ingestDevice } from '../ingest-device.ts';
import { changedChunks, ingestChanges } from './ingest-changes.ts';
import { encodeMapHeader, mapLength } from './map-header.ts';
import { OverlayLayer } from './overlay-layer.ts';

async function newLayer(size: number): Promise<OverlayLayer> {
  const map = memoryDevice(mapLength(size));
  map.write(encodeMapHeader({ id: '00'.repeat(16), size }), 0);
  return await OverlayLayer.open({ data: memoryDevice(size), map }, 'overlay');
}

const change = fc.record({
  kind: fc.constantFrom('write', 'zero'),
  offset: fc.nat(5_000_000),
  length: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 2_000_000 })),
  seed: fc.nat(5),
});

describe('ingestChanges', () => {
  test('names the disk as reading all of it does, over one overlay or two', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 5_000_000 }),
      fc.array(change, { maxLength: 5 }),
      fc.array(change, { maxLength: 5 }),
      async (size, below, above) => {
        const disk = memoryDevice(size);
        disk.write(pattern(Math.min(size, 700_000), 1), 0);
        const base = await ingest(store, disk);
        const map = await ContentMap.open(store.reader, base.root);
        const layers = [await newLayer(size), await newLayer(size)] as const;
        const lower = layers[0].over(disk);
        const upper = layers[1].over(lower);
        for (const [device, changes] of [
          [lower, below],
          [upper, above],
        ] as const) {
          for (const { kind, offset, length, seed } of changes.filter((each) => each.offset < size)) {
            const cut = Math.min(length, size - offset);
            if (kind === 'write') await device.write(pattern(cut, seed), offset);
            else await device.zero(offset, cut);
          }
        }
        await using session = store.beginIngest('a test');
        const whole = await ingestDevice(session, memoryDevice(await contentOf(upper)), {});
        const states = layers.map((layer) => layer.states);
        const changed = await ingestChanges(session, { device: upper, base: map, states }, {});
        assert.equal(hexOf(changed.root), hexOf(whole.root));
        assert.equal(changed.statistics.dataLength, whole.statistics.dataLength);
      },
    );
    await fc.assert(property, { numRuns: 25, interruptAfterTimeLimit: 15_000 });
  });

  test('reads nothing of a disk of 1 TiB but the chunks that changed', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const size = 2 ** 40;
    const base = await ingest(store, memoryDevice(size));
    const layer = await newLayer(size);
    const device = layer.over(memoryDevice(size));
    await device.zero(0, size - 4096);
    await device.write(pattern(4096, 1), 2 ** 39 + 8192);
    const map = await ContentMap.open(store.reader, base.root);
    await using session = store.beginIngest('a test');
    const content = await ingestChanges(session, { device, base: map, states: [layer.states] }, {});
    assert.deepEqual([content.statistics.addedLength, content.statistics.dataLength], [65536, 65536]);
    assert.equal([...changedChunks([layer.states])].length, 1);
  });
});

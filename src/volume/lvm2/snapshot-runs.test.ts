import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf, pattern } from '../../conformance/device-content.ts';
import { mappedDevice } from '../mapped-device.ts';
import { snapshotRuns } from './snapshot-runs.ts';

const chunk = 4096;
const originChunks = 600;
/** The last chunk of the origin is not whole. */
const originLength = originChunks * chunk - 512;
const original = pattern(originLength, 1);

function deviceOf(bytes: Uint8Array) {
  const device = memoryDevice(bytes.length, { readOnly: false });
  device.write(bytes, 0);
  return device;
}

/** What a store of changes holds that has these chunks, which are of another pattern. */
function storeOf(chunks: readonly number[], change: (header: DataView) => void = () => {}): Uint8Array {
  const perArea = chunk / 16;
  // The header, and behind each area's table its chunks.
  const placeOf = (index: number) => 1 + Math.floor(index / perArea) * (perArea + 1);
  const bytes = new Uint8Array((placeOf(chunks.length) + 2 + perArea) * chunk);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from('SnAp'), 0);
  view.setUint32(4, 1, true);
  view.setUint32(8, 1, true);
  view.setUint32(12, chunk / 512, true);
  for (const [index, number] of chunks.entries()) {
    const table = placeOf(index);
    const held = table + 1 + (index % perArea);
    const entry = table * chunk + (index % perArea) * 16;
    view.setBigUint64(entry, BigInt(number), true);
    view.setBigUint64(entry + 8, BigInt(held), true);
    bytes.set(changed(number), held * chunk);
  }
  change(view);
  return bytes;
}

function changed(number: number): Uint8Array {
  return pattern(chunk, 1000 + number);
}

async function contentWith(store: Uint8Array): Promise<Uint8Array> {
  const runs = await snapshotRuns({ origin: deviceOf(original), changes: deviceOf(store), name: 'vg/snap' });
  return await contentOf(mappedDevice(runs, 'vg/snap'));
}

for (const count of [0, 1, 255, 256, 257, 600]) {
  test(`a snapshot with ${count} changes has them, and the origin's bytes otherwise`, async () => {
    const chunks = Array.from({ length: count }, (_, index) => (index * 7) % originChunks);
    const expected = original.slice();
    for (const number of chunks)
      expected.set(changed(number).subarray(0, originLength - number * chunk), number * chunk);
    assert.deepEqual(await contentWith(storeOf(chunks)), expected);
  });
}

const bad: readonly (readonly [what: string, code: 'CORRUPT' | 'UNSUPPORTED', change: (view: DataView) => void])[] = [
  ['without a header', 'CORRUPT', (view) => view.setUint8(0, 0)],
  ['that ran over', 'UNSUPPORTED', (view) => view.setUint32(4, 0, true)],
  ['of another version', 'UNSUPPORTED', (view) => view.setUint32(8, 2, true)],
  ['with chunks of no length', 'CORRUPT', (view) => view.setUint32(12, 0, true)],
  ['with chunks of a strange length', 'CORRUPT', (view) => view.setUint32(12, 9, true)],
  ['with a chunk past the end', 'CORRUPT', (view) => view.setBigUint64(chunk + 8, 2n ** 60n, true)],
  ['with a chunk that its origin does not have', 'CORRUPT', (view) => view.setBigUint64(chunk, 5000n, true)],
];
for (const [what, code, change] of bad) {
  test(`a snapshot ${what} is ${code}`, async () => {
    await assert.rejects(
      contentWith(storeOf([3], change)),
      (error) => isVarveError(error, code) && error.message.includes('vg/snap'),
    );
  });
}

test('any damage of its tables ends in content of the same length, or an error with a code', async () => {
  const property = fc.asyncProperty(fc.nat(2 * chunk - 1), fc.nat(255), async (place, value) => {
    const store = storeOf([1, 2, 5, 599]);
    store[place] = value;
    try {
      assert.equal((await contentWith(store)).length, originLength);
    } catch (error) {
      assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'), `${error}`);
    }
  });
  await fc.assert(property, { numRuns: 100 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { damaged, damages } from '../../conformance/image-format-damage.ts';
import { mixedDisk } from '../../conformance/image-format-samples.ts';
import { memoryTarget } from '../../conformance/memory-target.ts';
import type { CheckReport } from '../image-format.ts';
import { vmdkFormat } from './vmdk.ts';

const size = 40 * 2 ** 20;
const image = async (subformat: string): Promise<Uint8Array> => {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vmdkFormat.write(mixedDisk(size), target, { options: { subformat } });
  return target.bytes();
};
const images = { streamOptimized: image('streamOptimized'), monolithicSparse: image('monolithicSparse') };

function check(bytes: Uint8Array): Promise<CheckReport> {
  return vmdkFormat.check!(memoryDevice(bytes, { readOnly: true }), { name: 'test disk' });
}

test('what we write is clean, and counted', async () => {
  for (const subformat of ['streamOptimized', 'monolithicSparse'] as const) {
    const bytes = await images[subformat];
    const { clusters, corruptions, problems, imageEndOffset } = await check(bytes);
    assert.deepEqual([corruptions, problems], [0, []]);
    assert.equal(clusters?.total, size / 65536);
    assert.ok(clusters.allocated > 50 && clusters.allocated < 640);
    assert.equal(clusters.compressed, subformat === 'streamOptimized' ? clusters.allocated : 0);
    assert.equal(clusters.fragmented, 0);
    assert.ok(imageEndOffset !== undefined && imageEndOffset <= bytes.length);
  }
});

/** The same bytes with a 32-bit number at `offset`. */
function withEntry(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  new DataView(copy.buffer).setUint32(offset, value, true);
  return copy;
}

test('a grain outside the file, in the header, or of another is found', async () => {
  const bytes = await images.monolithicSparse;
  const view = new DataView(bytes.buffer);
  const table = view.getUint32(view.getUint32(56, true) * 512, true) * 512;
  const second = view.getUint32(table + 8, true);
  assert.ok(second > 0);
  for (const [entry, message] of [
    [0x7fff_ffff, /grain 1 at sector 2147483647 is not inside the file/],
    [bytes.length / 512 - 100, /grain 1 at sector \d+ is not inside the file/],
    [0x2, /grain 1 at sector 2 is where something else is/],
    [second, /grain 2 at sector \d+ is where something else is/],
  ] as const) {
    const report = await check(withEntry(bytes, table + 4, entry));
    assert.ok(report.corruptions > 0);
    assert.match(report.problems.join('\n'), message);
  }
});

test('a grain with the wrong place in its marker is found', async () => {
  const report = await check(withEntry(await images.streamOptimized, 65536, 77));
  assert.match(report.problems.join('\n'), /grain \d+ at sector 128 says that it is the disk's sector 77/);
});

test('a directory whose entries are all the same table is not walked again and again', async () => {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await vmdkFormat.write(memoryDevice(2 ** 38), target, { options: { subformat: 'monolithicSparse' } });
  const bytes = target.bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const directory = view.getUint32(56, true) * 512;
  for (let index = 1; index < 8192; index += 1) {
    view.setUint32(directory + index * 4, view.getUint32(directory, true), true);
  }
  const { corruptions, problems } = await check(bytes);
  assert.deepEqual([corruptions, problems.length], [8191, 100]);
});

test('changed bytes give a report, or an error with a code', async () => {
  for (const bytes of [await images.streamOptimized, await images.monolithicSparse]) {
    const property = fc.asyncProperty(damages(bytes.length), async (damage) => {
      await check(damaged(bytes, damage)).catch((error: unknown) => {
        assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED'), `${error}`);
      });
    });
    await fc.assert(property, { numRuns: 40 });
  }
});

test('a repair is UNSUPPORTED, and a descriptor of other files is clean by itself', async () => {
  const file = memoryDevice(await images.streamOptimized);
  await assert.rejects(vmdkFormat.check!(file, { name: 'x', repair: 'all' }), { code: 'UNSUPPORTED' });
  const descriptor = new TextEncoder().encode('version=1\nCID=1\nRW 1 FLAT "x" 0\n');
  assert.equal((await check(descriptor)).corruptions, 0);
  await assert.rejects(check(new TextEncoder().encode('hello')), { code: 'CORRUPT' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf, pattern } from '../conformance/device-content.ts';
import { type MappedRun, mappedDevice } from './mapped-device.ts';

const unit = 512;
const disks = [pattern(64 * unit, 1), pattern(64 * unit, 2), pattern(64 * unit, 3)];

function diskOf(index: number) {
  const device = memoryDevice(64 * unit, { readOnly: false });
  device.write(disks[index]!, 0);
  return device;
}

/** A run of whole stripes of whole units, and what it reads as. */
const anyRun = fc
  .record({
    areas: fc.uniqueArray(fc.tuple(fc.nat(2), fc.nat(20)), { maxLength: 3, selector: ([disk]) => disk }),
    stripe: fc.integer({ min: 1, max: 3 }),
    rounds: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ areas, rounds, stripe }) => {
    const count = Math.max(1, areas.length);
    const length = rounds * stripe * count * unit;
    const expected = new Uint8Array(length);
    for (let index = 0; index < rounds * count && areas.length > 0; index += 1) {
      const [disk, first] = areas[index % areas.length]!;
      const start = first * unit + Math.floor(index / areas.length) * stripe * unit;
      expected.set(disks[disk]!.subarray(start, start + stripe * unit), index * stripe * unit);
    }
    const run = (devices: readonly ReturnType<typeof diskOf>[]): MappedRun => ({
      length,
      areas: areas.map(([disk, first]) => ({ device: devices[disk]!, offset: first * unit })),
      stripeLength: stripe * unit,
    });
    return { run, expected };
  });

test('a mapped device reads as its runs, in whatever pieces', async () => {
  const property = fc.asyncProperty(
    fc.array(anyRun, { minLength: 1, maxLength: 6 }),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))),
    async (runs, ranges) => {
      const devices = [0, 1, 2].map(diskOf);
      const device = mappedDevice(
        runs.map(({ run }) => run(devices)),
        'sample',
      );
      const expected = Buffer.concat(runs.map(({ expected: part }) => part));
      assert.equal(device.size, expected.length);
      assert.deepEqual(Buffer.from(await contentOf(device)), expected);
      for (const [from, part] of ranges) {
        const offset = Math.floor(from * (device.size - 1));
        const length = Math.max(1, Math.floor(part * (device.size - offset)));
        assert.deepEqual(
          Buffer.from(await contentOf(device, offset, length)),
          expected.subarray(offset, offset + length),
        );
      }
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

test('extents follow one another, and zeros are told from data', async () => {
  const runs: MappedRun[] = [
    { length: 1024, areas: [] },
    { length: 2048, areas: [{ device: diskOf(0), offset: 512 }] },
  ];
  const found = [];
  for await (const extent of mappedDevice(runs, 'sample').extents(512, 2000)) found.push(extent);
  assert.deepEqual(found, [
    { offset: 512, length: 512, kind: 'zero' },
    { offset: 1024, length: 1488, kind: 'data' },
  ]);
});

test('runs that reach past the end, or are no whole stripes, are CORRUPT', () => {
  const [one, other] = [diskOf(0), diskOf(1)];
  const bad: readonly MappedRun[] = [
    { length: 1024, areas: [{ device: one, offset: 63 * unit }] },
    { length: 1024, areas: [{ device: one, offset: -1 }] },
    {
      length: 1000,
      areas: [
        { device: one, offset: 0 },
        { device: other, offset: 0 },
      ],
      stripeLength: 512,
    },
    {
      length: 1024,
      areas: [
        { device: one, offset: 0 },
        { device: other, offset: 0 },
      ],
      stripeLength: 0,
    },
  ];
  for (const run of bad)
    assert.throws(
      () => mappedDevice([run], 'sample'),
      (error) => isVarveError(error, 'CORRUPT'),
    );
});

test('it cannot be written to', () => {
  assert.throws(
    () => mappedDevice([], 'sample').write(),
    (error) => isVarveError(error, 'READ_ONLY'),
  );
});

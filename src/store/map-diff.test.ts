import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  buildMap,
  chunksIn,
  MemoryBodies,
  nameAt,
  type SparseNames,
  someName,
} from '../../test/store/memory-bodies.ts';
import { sameName } from './chunk.ts';
import type { ContentMap } from './content-map.ts';
import { changedRuns } from './map-diff.ts';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;

async function diff(a: ContentMap, b: ContentMap): Promise<[number, number][]> {
  const runs = await Array.fromAsync(changedRuns(a, b));
  return runs.map(({ chunkIndex, chunkCount }) => [chunkIndex, chunkCount]);
}

/** By looking at every place at which either has a name. */
function bruteForce(a: SparseNames, b: SparseNames): [number, number][] {
  const places = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  const runs: [number, number][] = [];
  for (const place of places.filter((chunk) => !sameName(nameAt(a, chunk), nameAt(b, chunk)))) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === place) last[1] += 1;
    else runs.push([place, 1]);
  }
  return runs;
}

/** Sizes on every level of depth; small ones more often, where places meet by chance. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 40 * MiB }),
  fc.constantFrom(0, 1, 64 * KiB, 64 * KiB + 1, 32 * MiB - 1, 32 * MiB, 32 * MiB + 1, 100 * MiB),
  fc.constantFrom(16 * GiB, 16 * GiB + 1, 20 * GiB, TiB, 8 * TiB + 1, 20 * TiB, 5000 * TiB, 2 ** 53 - 1),
);

const runs = fc.array(
  fc.tuple(
    fc.oneof(fc.nat(2000), fc.constantFrom(511, 512, 262_143, 262_144), fc.nat()),
    fc.integer({ min: 1, max: 70 }),
  ),
  { maxLength: 6 },
);

function namesFrom(list: readonly (readonly [number, number])[], diskSize: number): Map<number, Uint8Array> {
  const names = new Map<number, Uint8Array>();
  for (const [start, count] of list) {
    for (let chunk = start; chunk < Math.min(start + count, chunksIn(diskSize)); chunk += 1) {
      names.set(chunk, someName(count + (chunk % 2)));
    }
  }
  return names;
}

describe('changedRuns', () => {
  for (const isSlow of [false, true]) {
    test(`finds what a comparison of every chunk finds, whatever the sizes${isSlow ? ', each body a promise' : ''}`, async () => {
      await fc.assert(
        fc.asyncProperty(size, size, runs, runs, runs, async (sizeA, sizeB, common, onlyA, onlyB) => {
          const bodies = new MemoryBodies(isSlow);
          const namesA = namesFrom([...common, ...onlyA], sizeA);
          const namesB = namesFrom([...common, ...onlyB], sizeB);
          const a = await buildMap(bodies, sizeA, namesA);
          const b = await buildMap(bodies, sizeB, namesB);
          assert.deepEqual(await diff(a, b), bruteForce(namesA, namesB));
          assert.deepEqual(await diff(b, a), bruteForce(namesA, namesB));
        }),
        { numRuns: 60 },
      );
    });
  }

  test('a small disk and an empty one of petabytes are compared at once', async () => {
    const bodies = new MemoryBodies();
    const small = await buildMap(bodies, MiB, new Map([[3, someName(1)]]));
    const large = await buildMap(bodies, 2 ** 53 - 1, new Map([[512 ** 4 - 1, someName(2)]]));
    bodies.getCount = 0;
    assert.deepEqual(await diff(small, large), [
      [3, 1],
      [512 ** 4 - 1, 1],
    ]);
    assert.ok(bodies.getCount <= 10, `${bodies.getCount} bodies were read`);
  });

  test('what is equal is not looked into', async () => {
    const bodies = new MemoryBodies();
    const names = new Map(Array.from({ length: 16_384 }, (_, chunk) => [chunk, someName(chunk)]));
    const a = await buildMap(bodies, GiB, names);
    const b = await buildMap(bodies, GiB, new Map([...names, [5000, someName(-1)]]));
    bodies.getCount = 0;
    assert.deepEqual(await diff(a, b), [[5000, 1]]);
    assert.equal(bodies.getCount, 4, 'the top and one leaf of each');
    bodies.getCount = 0;
    assert.deepEqual(await diff(a, a), []);
    assert.equal(bodies.getCount, 0);
  });

  test('only a different size is no changed chunk, and what only one has counts against zeros', async () => {
    const bodies = new MemoryBodies();
    const names = new Map([[0, someName(1)]]);
    const a = await buildMap(bodies, 64 * KiB, names);
    const b = await buildMap(bodies, TiB, names);
    assert.deepEqual(await diff(a, b), []);
    const c = await buildMap(bodies, TiB, new Map([...names, [2 ** 24 - 1, someName(2)]]));
    assert.deepEqual(await diff(a, c), [[2 ** 24 - 1, 1]]);
  });
});

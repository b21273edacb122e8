import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  buildMap,
  chunksIn,
  expectedRuns,
  MemoryBodies,
  nameAt,
  type SparseNames,
  someName,
} from '../../test/store/memory-bodies.ts';
import { hexOf, sameName, zeroName } from './chunk.ts';
import { ContentMap } from './content-map.ts';
import { MapBuilder } from './map-builder.ts';
import { nameIn } from './map-format.ts';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;

const edges = [0, 64 * KiB, 32 * MiB, 16 * GiB, TiB, 8 * TiB, 4096 * TiB];
const sizes = [...edges.flatMap((edge) => [edge - 1, edge, edge + 1]), 20 * GiB, 2 ** 53 - 1].filter(
  (size) => size >= 0,
);

/** Places where something can go wrong: the ends of leaves and of higher nodes, and the disk's own. */
function edgePlaces(chunkCount: number): number[] {
  const places = [0, 1, 511, 512, 513, 512 ** 2 - 1, 512 ** 2, 512 ** 3, 512 ** 4, chunkCount - 2, chunkCount - 1];
  return [...new Set(places.filter((place) => place >= 0 && place < chunkCount))];
}

/** A disk with names at some of its edge places and at others, runs of some chunks each. */
const disks = fc.constantFrom(...sizes).chain((size) => {
  const chunkCount = chunksIn(size);
  const place = fc.oneof(fc.constantFrom(0, ...edgePlaces(chunkCount)), fc.nat(Math.max(0, chunkCount - 1)));
  const run = fc.tuple(place, fc.integer({ min: 1, max: 600 }), fc.nat(20));
  return fc.array(run, { maxLength: 6 }).map((runs) => {
    const names = new Map<number, Uint8Array>();
    for (const [start, count, seed] of runs) {
      for (let chunk = start; chunk < Math.min(start + count, chunkCount); chunk += 1) {
        names.set(chunk, someName(seed + (chunk % 3)));
      }
    }
    return { size, names };
  });
});

async function leafNameAt(map: ContentMap, chunkIndex: number): Promise<Uint8Array> {
  const leaf = await map.leafAt(chunkIndex);
  return leaf === undefined ? zeroName : nameIn(leaf, chunkIndex % 512);
}

async function runsOf(map: ContentMap, start: number, end: number): Promise<[number, number, boolean][]> {
  const runs: [number, number, boolean][] = [];
  for await (const { chunkIndex, chunkCount, isZero } of map.runs(start, end)) {
    const last = runs.at(-1);
    assert.ok(chunkCount > 0);
    assert.equal(chunkIndex, last === undefined ? start : last[0] + last[1], 'runs leave no gap');
    if (last?.[2] === isZero) last[1] += chunkCount;
    else runs.push([chunkIndex, chunkCount, isZero]);
  }
  return runs;
}

describe('ContentMap', () => {
  for (const isSlow of [false, true]) {
    test(`has the names of a plain array at every edge, ${isSlow ? 'each body a promise' : 'bodies at hand'}`, async () => {
      await fc.assert(
        fc.asyncProperty(disks, fc.array(fc.nat()), async ({ size, names }, more) => {
          const map = await buildMap(new MemoryBodies(isSlow), size, names);
          assert.equal(map.size, size);
          assert.equal(map.chunkCount, chunksIn(size));
          const others = [...names.keys()].flatMap((place) => [place - 1, place, place + 1]);
          const places = [...edgePlaces(map.chunkCount), ...others, ...more.map((place) => place % map.chunkCount)];
          for (const place of places.filter((chunk) => chunk >= 0 && chunk < map.chunkCount)) {
            assert.ok(sameName(await leafNameAt(map, place), nameAt(names, place)), `chunk ${place}`);
          }
        }),
        { numRuns: 50 },
      );
    });
  }

  test('gives the runs of a plain array, of the whole disk and of any part', async () => {
    await fc.assert(
      fc.asyncProperty(
        disks,
        fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 5 }),
        async ({ size, names }, pairs) => {
          const map = await buildMap(new MemoryBodies(), size, names);
          const { chunkCount } = map;
          const places = [0, chunkCount, ...[...names.keys()].slice(0, 4)];
          const parts = pairs.map(
            ([a, b]) => [places[a % places.length], places[b % places.length]] as [number, number],
          );
          for (const part of [[0, chunkCount] as [number, number], ...parts]) {
            const [start, end] = part.sort((a, b) => a - b);
            assert.deepEqual(await runsOf(map, start, end), expectedRuns(names, start, end));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('two readers of one map at once do not mix up their leaves', async () => {
    const names = new Map(Array.from({ length: 3000 }, (_, chunk) => [chunk, someName(chunk)]));
    const map = await buildMap(new MemoryBodies(true), 3000 * 64 * KiB, names);
    const order = Array.from({ length: 3000 }, (_, index) => (index * 1237) % 3000);
    const found = await Promise.all(order.map((chunk) => leafNameAt(map, chunk)));
    order.forEach((chunk, index) => {
      assert.ok(sameName(found[index] as Uint8Array, names.get(chunk) as Uint8Array), `chunk ${chunk}`);
    });
  });

  test('an empty terabyte costs one body, and a chunk at its end one more a level', async () => {
    const bodies = new MemoryBodies();
    const empty = await buildMap(bodies, TiB, new Map());
    assert.deepEqual(await runsOf(empty, 0, empty.chunkCount), [[0, 2 ** 24, true]]);
    assert.equal(bodies.count, 1);
    await buildMap(bodies, TiB, new Map([[2 ** 24 - 1, someName(1)]]));
    assert.equal(bodies.count, 5);
  });

  test('a name that is no root record is CORRUPT', async () => {
    const bodies = new MemoryBodies();
    await assert.rejects(ContentMap.open(bodies, bodies.put(Buffer.alloc(64))), { code: 'CORRUPT' });
    await assert.rejects(ContentMap.open(bodies, bodies.put(Buffer.alloc(3))), { code: 'CORRUPT' });
  });

  test('a node that is none is CORRUPT when it is reached, and not before', async () => {
    const bodies = new MemoryBodies();
    const bad = bodies.put(Buffer.alloc(33));
    const builder = new MapBuilder(40 * MiB, (bytes) => bodies.put(bytes));
    builder.append(someName(1));
    const map = await ContentMap.open(bodies, builder.finish());
    assert.throws(() => map.node(bad), { code: 'CORRUPT' });
    assert.ok(sameName(await leafNameAt(map, 0), someName(1)));
  });
});

describe('MapBuilder', () => {
  /** One way to say the same: zero chunks one by one, or in steps of any length. */
  function rootOf(size: number, names: SparseNames, steps: readonly number[]): string {
    const builder = new MapBuilder(size, (bytes) => new MemoryBodies().put(bytes));
    let turn = 0;
    while (builder.chunkCount < chunksIn(size)) {
      const name = nameAt(names, builder.chunkCount);
      const step = steps[turn % steps.length] as number;
      turn += 1;
      if (!sameName(name, zeroName) || step === 0) builder.append(name);
      else {
        let end = builder.chunkCount + 1;
        while (end < builder.chunkCount + step && end < chunksIn(size) && !names.has(end)) end += 1;
        builder.appendZerosUntil(end);
      }
    }
    return hexOf(builder.finish());
  }

  test('gives equal content an equal root, in whatever steps its zeros were named', () => {
    const smallDisks = fc.integer({ min: 0, max: 90 * MiB }).chain((size) =>
      fc.array(fc.tuple(fc.nat(), fc.nat(5)), { maxLength: 10 }).map((pairs) => ({
        size,
        names: new Map(pairs.map(([place, seed]) => [place % Math.max(1, chunksIn(size)), someName(seed)])),
      })),
    );
    fc.assert(
      fc.property(smallDisks, fc.array(fc.nat(1500), { minLength: 1 }), ({ size, names }, steps) => {
        assert.equal(rootOf(size, names, steps), rootOf(size, names, [0]));
      }),
      { numRuns: 40 },
    );
  });

  test('gives another size, another chunk or another place another root', () => {
    const names = new Map([[3, someName(1)]]);
    const roots = [
      rootOf(MiB, names, [9]),
      rootOf(MiB + 1, names, [9]),
      rootOf(MiB - 1, names, [9]),
      rootOf(64 * MiB, names, [9]),
      rootOf(MiB, new Map([[4, someName(1)]]), [9]),
      rootOf(MiB, new Map([[3, someName(2)]]), [9]),
      rootOf(MiB, new Map(), [9]),
    ];
    assert.equal(new Set(roots).size, roots.length);
  });

  test('puts the bodies of equal leaves under one name', () => {
    const bodies = new MemoryBodies();
    const builder = new MapBuilder(128 * MiB, (bytes) => bodies.put(bytes));
    for (let chunk = 0; chunk < 2048; chunk += 1) builder.append(someName(chunk % 512));
    builder.finish();
    assert.equal(bodies.count, 3, 'a leaf, the node over four of it, and the root record');
  });
});

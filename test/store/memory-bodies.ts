import type { MaybePromise } from '../../src/block/block-device.ts';
import { chunkSize, hexOf, isZeroName, zeroName } from '../../src/store/chunk.ts';
import type { BodySource } from '../../src/store/chunk-reader.ts';
import { ContentMap } from '../../src/store/content-map.ts';
import { nameOf } from '../../src/store/hash.ts';
import { MapBuilder } from '../../src/store/map-builder.ts';

/** The names of a disk's chunks that are not zero, by their place: the plain model of a map. */
export type SparseNames = ReadonlyMap<number, Uint8Array>;

/** Bodies in memory; with `isSlow` each takes a promise. */
export class MemoryBodies implements BodySource {
  readonly #bodies = new Map<string, Uint8Array>();
  readonly #isSlow: boolean;
  /** How many bodies were asked for. */
  getCount = 0;

  constructor(isSlow = false) {
    this.#isSlow = isSlow;
  }

  get count(): number {
    return this.#bodies.size;
  }

  put(bytes: Uint8Array): Uint8Array {
    const name = nameOf(bytes);
    this.#bodies.set(hexOf(name), bytes);
    return name;
  }

  get(name: Uint8Array): MaybePromise<Uint8Array> {
    this.getCount += 1;
    const body = this.#bodies.get(hexOf(name));
    if (body === undefined) throw new Error(`no body is named ${hexOf(name)}`);
    return this.#isSlow ? Promise.resolve(body) : body;
  }
}

/** The map of a disk of `size` bytes with these names, built in one go. */
export async function buildMap(bodies: MemoryBodies, size: number, names: SparseNames): Promise<ContentMap> {
  const builder = new MapBuilder(size, (bytes) => bodies.put(bytes));
  for (const chunkIndex of [...names.keys()].sort((a, b) => a - b)) {
    builder.appendZerosUntil(chunkIndex);
    builder.append(names.get(chunkIndex) as Uint8Array);
  }
  return await ContentMap.open(bodies, builder.finish());
}

/** The name of some chunk that is not zero, the same for the same `seed`. */
export function someName(seed: number): Uint8Array {
  return nameOf(Buffer.from(`chunk ${seed}`));
}

/** The name that the model has at a place. */
export function nameAt(names: SparseNames, chunkIndex: number): Uint8Array {
  return names.get(chunkIndex) ?? zeroName;
}

/** Chunks that a disk of `size` bytes is cut into. */
export function chunksIn(size: number): number {
  return Math.ceil(size / chunkSize);
}

/** What `runs` should give between two places, neighbours joined: `[chunkIndex, chunkCount, isZero]`. */
export function expectedRuns(names: SparseNames, start: number, end: number): [number, number, boolean][] {
  const places = [...names.keys()].filter(
    (place) => place >= start && place < end && !isZeroName(nameAt(names, place)),
  );
  const runs: [number, number, boolean][] = [];
  let next = start;
  for (const place of places.sort((a, b) => a - b)) {
    if (place > next) runs.push([next, place - next, true]);
    const last = runs.at(-1);
    if (last !== undefined && !last[2]) last[1] += 1;
    else runs.push([place, 1, false]);
    next = place + 1;
  }
  if (next < end) runs.push([next, end - next, true]);
  return runs;
}

import type { IntervalSet } from '../../bytes/interval-set.ts';
import { chunkSize, hexOf, isZeroName, type NameKey } from '../../store/chunk.ts';
import type { ContentMap } from '../../store/content-map.ts';
import { fanout, nameIn } from '../../store/map-format.ts';
import type { Store } from '../../store/store.ts';

/** Adds up what distinct chunks take in the store. */
export class StoredLengths {
  readonly #store: Store;
  readonly #seen = new Set<NameKey>();
  #total = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What all chunks so far take in packs, in bytes. */
  get total(): number {
    return this.#total;
  }

  /** Adds the chunks of a content that lie in `ranges` whole. How many bytes of the disk those are that hold data. */
  async add(map: ContentMap, ranges: IntervalSet): Promise<number> {
    let count = 0;
    for (const { offset, end } of ranges) {
      const first = Math.ceil(offset / chunkSize);
      const stop = end === map.size ? map.chunkCount : Math.floor(end / chunkSize);
      if (first >= stop) continue;
      for await (const { chunkIndex, chunkCount, isZero } of map.runs(first, stop)) {
        if (isZero) continue;
        for (let index = chunkIndex; index < chunkIndex + chunkCount; index += 1) await this.#addChunk(map, index);
        count += chunkCount;
      }
    }
    return count * chunkSize;
  }

  async #addChunk(map: ContentMap, index: number): Promise<void> {
    const found = map.leafAt(index);
    const leaf = found instanceof Promise ? await found : found;
    if (leaf === undefined) return;
    const name = nameIn(leaf, index % fanout);
    const key = hexOf(name);
    if (isZeroName(name) || this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#total += this.#store.chunks.find(name)?.storedLength ?? 0;
  }
}

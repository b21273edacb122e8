import type { Allocation } from './cluster-chain.ts';
import { decodeEntrySet, type EntrySet, entryLength, entryTypes, setLength } from './entry-set.ts';
import type { ExfatVolume } from './exfat-volume.ts';

/** No directory may be longer, in bytes. Source: Microsoft, exFAT file system specification, section 7.4.4 (DataLength). */
const longestDirectory = 256 << 20;

/** An entry, or all entries of a file, and where the first byte is on the device. */
export interface PlacedEntries {
  readonly bytes: Uint8Array;
  readonly place: number;
  /** Where each of the entries is, if they do not just follow each other on the device. */
  readonly places: readonly number[] | undefined;
}

/** A cluster of a directory. */
interface DirectoryCluster {
  readonly bytes: Uint8Array;
  readonly place: number;
}

/** Reads a directory's entries: single ones of every type in use, and files with all their entries. */
export async function* entriesOf(
  volume: ExfatVolume,
  allocation: Allocation,
  what: string,
): AsyncGenerator<PlacedEntries> {
  let split: SplitEntries | undefined;
  for await (const cluster of clustersOf(volume, allocation, what)) {
    let start = 0;
    if (split !== undefined) {
      start = split.add(cluster, 0);
      if (!split.isWhole) continue;
      yield split.placed();
      split = undefined;
    }
    while (start < cluster.bytes.length) {
      const type = cluster.bytes[start]!;
      if (type === entryTypes.end) return;
      const length = type === entryTypes.file ? setLength(cluster.bytes, start) : entryLength;
      const end = start + length;
      if (end <= cluster.bytes.length) {
        // What is not in use was deleted.
        const isUsed = type >= 0x80;
        if (isUsed)
          yield { bytes: cluster.bytes.subarray(start, end), place: cluster.place + start, places: undefined };
        start = end;
      } else {
        split = new SplitEntries(length);
        start = split.add(cluster, start);
      }
    }
  }
  if (split !== undefined) throw volume.corrupt(`${what} ends in the middle of a file's entries`);
}

/** What the entries of a file say together. @throws VarveError `CORRUPT` where they do not belong together */
export function setOf(volume: ExfatVolume, { bytes, place }: PlacedEntries): EntrySet {
  const set = decodeEntrySet(bytes);
  if (typeof set === 'string') throw volume.corrupt(`the file whose entry is at byte ${place} ${set}`);
  return set;
}

async function* clustersOf(
  volume: ExfatVolume,
  allocation: Allocation,
  what: string,
): AsyncGenerator<DirectoryCluster> {
  const { clusterSize } = volume.layout;
  const chain = volume.chain(allocation, what);
  const end = Math.min(allocation.length ?? longestDirectory, longestDirectory);
  for (let offset = 0; offset < end; offset += clusterSize) {
    const run = await chain.run(offset, clusterSize);
    if (run === undefined) return;
    const bytes = new Uint8Array(clusterSize);
    await volume.read(bytes, run.offset, what);
    yield { bytes, place: run.offset };
  }
}

/** The entries of a file that begin in one cluster and go on in the next. */
class SplitEntries {
  readonly #bytes: Uint8Array;
  readonly #places: number[] = [];

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
  }

  get isWhole(): boolean {
    return this.#places.length * entryLength === this.#bytes.length;
  }

  /** Takes what is in a cluster from `start` on; returns where that ends. */
  add({ bytes, place }: DirectoryCluster, start: number): number {
    let end = start;
    for (; end < bytes.length && !this.isWhole; end += entryLength) {
      this.#bytes.set(bytes.subarray(end, end + entryLength), this.#places.length * entryLength);
      this.#places.push(place + end);
    }
    return end;
  }

  placed(): PlacedEntries {
    const place = this.#places[0]!;
    const isTogether = this.#places.every((each, index) => each === place + index * entryLength);
    return { bytes: this.#bytes, place, places: isTogether ? undefined : this.#places };
  }
}

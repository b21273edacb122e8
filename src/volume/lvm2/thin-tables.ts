import { LruMap } from '../../base/lru.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import { crc32c } from '../../bytes/crc32c.ts';

/** A key of a tree, and what stands behind it. */
export interface ThinEntry {
  readonly key: number;
  readonly value: bigint;
}

/** The length of a block of a thin pool's tables, in bytes. */
export const tableBlockLength = 4096;
const nodeSalt = 121_107;
const innerFlag = 1;
const headerLength = 32;
/** A node has room for 126 entries at least, and there are 2^64 keys at most. */
const deepest = 12;
const mostNodesKept = 1024;

/** The tables of a thin pool: blocks with checksums, most of them nodes of B-trees (`thin-pool.ts`). */
export class ThinTables {
  /** What holds them. */
  readonly device: BlockDevice;
  readonly #name: string;
  readonly #nodes = new LruMap<number, DataView>(mostNodesKept);

  constructor(device: BlockDevice, name: string) {
    this.device = device;
    this.#name = name;
  }

  corrupt(block: number, why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read block ${block} of the thin pool ${this.#name}'s tables: ${why}`);
  }

  /** The bytes of a block, checked. */
  *block(number: number, salt: number): Steps<Uint8Array> {
    if ((number + 1) * tableBlockLength > this.device.size) throw this.corrupt(number, 'it is past their end');
    const bytes = new Uint8Array(tableBlockLength);
    yield this.device.read(bytes, number * tableBlockLength);
    const view = new DataView(bytes.buffer);
    // The sum is not inverted at its end, as others are.
    const sum = (~crc32c(bytes.subarray(4)) ^ salt) >>> 0;
    if (view.getUint32(0, true) !== sum) throw this.corrupt(number, 'its checksum is wrong');
    if (view.getBigUint64(8, true) !== BigInt(number)) throw this.corrupt(number, 'it belongs to another place');
    return bytes;
  }

  /** The entry of the first key that is `key` or over it; undefined where there is none. */
  *find(root: number, key: number, depth = 0): Steps<ThinEntry | undefined> {
    if (depth > deepest) throw this.corrupt(root, `it is more than ${deepest} below its root`);
    const node = yield* this.#node(root);
    const count = node.getUint32(16, true);
    const isInner = node.getUint32(4, true) % 2 === innerFlag;
    let index = firstOver(node, count, key);
    // What is below an inner entry starts with its key.
    if (isInner && index > 0) index -= 1;
    else if (!isInner && index > 0 && keyAt(node, index - 1) === key) index -= 1;
    if (!isInner) return index < count ? entryAt(node, index) : undefined;
    // Only the first one may hold nothing but smaller keys.
    for (const each of [index, index + 1]) {
      if (each >= count) continue;
      const found = yield* this.find(Number(entryAt(node, each).value), key, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  *#node(number: number): Steps<DataView> {
    const known = this.#nodes.get(number);
    if (known !== undefined) return known;
    const bytes = yield* this.block(number, nodeSalt);
    const view = new DataView(bytes.buffer);
    const [count, most, valueLength] = [16, 20, 24].map((place) => view.getUint32(place, true)) as [
      number,
      number,
      number,
    ];
    if (count > most || headerLength + most * 16 > tableBlockLength || valueLength !== 8) {
      throw this.corrupt(number, `it has ${count} of ${most} entries with values of ${valueLength} bytes`);
    }
    this.#nodes.set(number, view);
    return view;
  }
}

/** The index of the first key over `key`, by halving. */
function firstOver(node: DataView, count: number, key: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (keyAt(node, middle) > key) high = middle;
    else low = middle + 1;
  }
  return low;
}

function keyAt(node: DataView, index: number): number {
  return Number(node.getBigUint64(headerLength + index * 8, true));
}

function entryAt(node: DataView, index: number): ThinEntry {
  const values = headerLength + node.getUint32(20, true) * 8;
  return { key: keyAt(node, index), value: node.getBigUint64(values + index * 8, true) };
}

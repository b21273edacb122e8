import type { MaybePromise } from '../block/block-device.ts';
import { chunkSize, isZeroName } from './chunk.ts';
import type { BodySource } from './chunk-reader.ts';
import { checkNode, chunksUnder, decodeRoot, fanout, nameIn, type RootRecord } from './map-format.ts';

/** A run of chunks of one disk, counted from its start, that are all zero or all not. */
export interface ChunkRun {
  readonly chunkIndex: number;
  readonly chunkCount: number;
  readonly isZero: boolean;
}

/** The map of one disk's content, read node by node as it is needed. */
export class ContentMap {
  /** The name of the root record. */
  readonly root: Uint8Array;
  /** The disk's size in bytes. */
  readonly size: number;
  readonly #record: RootRecord;
  readonly #source: BodySource;
  #leaf: Uint8Array | undefined;
  #leafIndex = -1;

  private constructor(root: Uint8Array, record: RootRecord, source: BodySource) {
    this.root = root;
    this.size = record.size;
    this.#record = record;
    this.#source = source;
  }

  /** @throws CORRUPT when `root` does not name a root record in `source` */
  static async open(source: BodySource, root: Uint8Array): Promise<ContentMap> {
    return new ContentMap(root, decodeRoot(await source.get(root), 'root record'), source);
  }

  get depth(): number {
    return this.#record.depth;
  }

  /** The name of the tree's uppermost node. */
  get top(): Uint8Array {
    return this.#record.top;
  }

  get chunkCount(): number {
    return Math.ceil(this.size / chunkSize);
  }

  /**
   * The names around `chunkIndex`: a leaf, in which it stands at `chunkIndex % 512`; `undefined` where all is zero.
   * Hot: the last leaf is kept, and neighbours are read one after the other.
   */
  leafAt(chunkIndex: number): MaybePromise<Uint8Array | undefined> {
    const leafIndex = Math.floor(chunkIndex / fanout);
    if (leafIndex === this.#leafIndex) return this.#leaf;
    return this.#descend(this.top, this.depth, leafIndex);
  }

  /**
   * The name of the chunk `chunkIndex` (level 0), or of the node at a level below the top that begins with it: what
   * stands for all the chunks under it.
   */
  nameAt(level: number, chunkIndex: number): MaybePromise<Uint8Array> {
    return this.#nameUnder(this.top, this.depth, level, chunkIndex);
  }

  #nameUnder(name: Uint8Array, level: number, wanted: number, chunkIndex: number): MaybePromise<Uint8Array> {
    if (level === wanted || isZeroName(name)) return name;
    const index = Math.floor(chunkIndex / chunksUnder(level - 1)) % fanout;
    const node = this.node(name);
    const goOn = (loaded: Uint8Array) => this.#nameUnder(nameIn(loaded, index), level - 1, wanted, chunkIndex);
    return node instanceof Promise ? node.then(goOn) : goOn(node);
  }

  /** Runs of zero and other chunks between two chunk indexes, a node's worth at a time at the most. */
  async *runs(startChunk: number, endChunk: number): AsyncIterable<ChunkRun> {
    yield* this.#runsUnder(this.top, this.depth, 0, startChunk, endChunk);
  }

  /** The node a name stands for, checked to be one. */
  node(name: Uint8Array): MaybePromise<Uint8Array> {
    const node = this.#source.get(name);
    if (node instanceof Promise) return node.then(checkedNode);
    return checkedNode(node);
  }

  #descend(name: Uint8Array, level: number, leafIndex: number): MaybePromise<Uint8Array | undefined> {
    if (isZeroName(name)) return this.#keep(leafIndex, undefined);
    const node = this.node(name);
    if (node instanceof Promise) return node.then((loaded) => this.#below(loaded, level, leafIndex));
    return this.#below(node, level, leafIndex);
  }

  #below(node: Uint8Array, level: number, leafIndex: number): MaybePromise<Uint8Array | undefined> {
    if (level === 1) return this.#keep(leafIndex, node);
    const index = Math.floor(leafIndex / fanout ** (level - 2)) % fanout;
    return this.#descend(nameIn(node, index), level - 1, leafIndex);
  }

  #keep(leafIndex: number, leaf: Uint8Array | undefined): Uint8Array | undefined {
    this.#leafIndex = leafIndex;
    this.#leaf = leaf;
    return leaf;
  }

  async *#runsUnder(
    name: Uint8Array,
    level: number,
    first: number,
    start: number,
    end: number,
  ): AsyncIterable<ChunkRun> {
    const last = first + chunksUnder(level);
    const from = Math.max(first, start);
    const to = Math.min(last, end);
    if (from >= to) return;
    if (level === 0 || isZeroName(name)) {
      yield { chunkIndex: from, chunkCount: to - from, isZero: isZeroName(name) };
      return;
    }
    const node = await this.node(name);
    if (level === 1) yield* leafRuns(node, first, from, to);
    else {
      const span = chunksUnder(level - 1);
      for (let index = Math.floor((from - first) / span); first + index * span < to; index += 1) {
        yield* this.#runsUnder(nameIn(node, index), level - 1, first + index * span, start, end);
      }
    }
  }
}

function checkedNode(node: Uint8Array): Uint8Array {
  checkNode(node, 'map');
  return node;
}

/** One run after the other inside a leaf, without a generator a chunk. */
function* leafRuns(leaf: Uint8Array, first: number, from: number, to: number): Iterable<ChunkRun> {
  let start = from;
  let isZero = isZeroName(nameIn(leaf, from - first));
  for (let chunk = from + 1; chunk < to; chunk += 1) {
    const next = isZeroName(nameIn(leaf, chunk - first));
    if (next === isZero) continue;
    yield { chunkIndex: start, chunkCount: chunk - start, isZero };
    start = chunk;
    isZero = next;
  }
  yield { chunkIndex: start, chunkCount: to - start, isZero };
}

import { chunkSize, nameLength, zeroName } from './chunk.ts';
import type { ContentMap } from './content-map.ts';
import { chunksUnder, depthFor, encodeNode, encodeRoot, fanout } from './map-format.ts';
import { type BodyKind, bodyKinds } from './pack-format.ts';

/** Keeps a body and gives its name. */
export type PutBody = (bytes: Uint8Array, kind: BodyKind) => Uint8Array;

interface Level {
  readonly names: Uint8Array;
  count: number;
}

/** Builds the map of a disk from its chunks' names, first to last, holding one node a level. */
export class MapBuilder {
  readonly #size: number;
  readonly #put: PutBody;
  /** The unfinished node of each level, leaves first. */
  readonly #levels: Level[];
  #chunkCount = 0;

  constructor(size: number, put: PutBody) {
    this.#size = size;
    this.#put = put;
    this.#levels = Array.from({ length: depthFor(size) }, () => ({
      names: new Uint8Array(fanout * nameLength),
      count: 0,
    }));
  }

  /** The chunks named so far. */
  get chunkCount(): number {
    return this.#chunkCount;
  }

  append(name: Uint8Array): void {
    this.#appendAt(0, name);
    this.#chunkCount += 1;
  }

  /** Names the chunks up to `chunkIndex` as zeros: whole empty subtrees at a step. */
  appendZerosUntil(chunkIndex: number): void {
    while (this.#chunkCount < chunkIndex) {
      let level = 0;
      while (level + 1 < this.#levels.length && this.#fits(level + 1, chunkIndex)) level += 1;
      this.#appendAt(level, zeroName);
      this.#chunkCount += chunksUnder(level);
    }
  }

  /** Names the chunks up to `chunkIndex` as another map of a disk of this size does: whole subtrees at a step. */
  async appendUntil(chunkIndex: number, map: ContentMap): Promise<void> {
    while (this.#chunkCount < chunkIndex) {
      let level = 0;
      while (level + 1 < this.#levels.length && this.#fits(level + 1, chunkIndex)) level += 1;
      const name = map.nameAt(level, this.#chunkCount);
      this.#appendAt(level, name instanceof Promise ? await name : name);
      this.#chunkCount += chunksUnder(level);
    }
  }

  /** The name of the root record, once every chunk is named. */
  finish(): Uint8Array {
    this.appendZerosUntil(Math.ceil(this.#size / chunkSize));
    const depth = this.#levels.length;
    for (let level = 0; level < depth - 1; level += 1) {
      if ((this.#levels[level] as Level).count > 0) this.#close(level);
    }
    const top = this.#nodeName(depth - 1);
    return this.#put(encodeRoot({ size: this.#size, depth, top }), bodyKinds.root);
  }

  #fits(level: number, chunkIndex: number): boolean {
    const span = chunksUnder(level);
    return this.#chunkCount % span === 0 && this.#chunkCount + span <= chunkIndex;
  }

  #appendAt(level: number, name: Uint8Array): void {
    const node = this.#levels[level] as Level;
    node.names.set(name, node.count * nameLength);
    node.count += 1;
    if (node.count === fanout && level < this.#levels.length - 1) this.#close(level);
  }

  #close(level: number): void {
    const name = this.#nodeName(level);
    (this.#levels[level] as Level).count = 0;
    this.#appendAt(level + 1, name);
  }

  #nodeName(level: number): Uint8Array {
    const { names, count } = this.#levels[level] as Level;
    const node = encodeNode(names, count);
    return node === undefined ? zeroName : this.#put(node, bodyKinds.node);
  }
}

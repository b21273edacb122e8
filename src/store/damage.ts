import assert from 'node:assert/strict';
import { isVarveError } from '../base/varve-error.ts';
import { chunkSize, hexOf, isZeroName, type NameKey } from './chunk.ts';
import type { Snapshot } from './image-table.ts';
import { checkNode, chunksUnder, decodeRoot, fanout, nameIn } from './map-format.ts';
import type { StoreParts } from './store-parts.ts';

/** Bytes of a snapshot's disk that cannot be read any more. */
export interface DamagedRange {
  readonly image: string;
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  /** The bodies that are lost. */
  readonly names: readonly NameKey[];
}

interface ChunkDamage {
  readonly chunkIndex: number;
  readonly chunkCount: number;
  readonly name: NameKey;
}

/** Finds what lost bodies mean for snapshots; subtrees that were found whole are walked once for all of them. */
export class DamageFinder {
  readonly #parts: StoreParts;
  readonly #lost: ReadonlySet<NameKey>;
  readonly #whole = new Set<NameKey>();

  constructor(parts: StoreParts, lost: ReadonlySet<NameKey>) {
    this.#parts = parts;
    this.#lost = lost;
  }

  /** The damaged ranges of one snapshot's disk, in order, neighbours joined. */
  damageOf(snapshot: Pick<Snapshot, 'image' | 'number' | 'root' | 'size'>): DamagedRange[] {
    const all: ChunkDamage = {
      chunkIndex: 0,
      chunkCount: Math.ceil(snapshot.size / chunkSize),
      name: hexOf(snapshot.root),
    };
    const record = this.#read(snapshot.root, (bytes) => decodeRoot(bytes, 'root record'));
    const damage = record === undefined ? [all] : [...this.#under(record.top, record.depth, 0)];
    return joined(damage).map(({ chunkIndex, chunkCount, names }) => {
      const offset = chunkIndex * chunkSize;
      const length = Math.min(chunkCount * chunkSize, snapshot.size - offset);
      return { image: snapshot.image, number: snapshot.number, offset, length, names };
    });
  }

  *#under(name: Uint8Array, level: number, first: number): Iterable<ChunkDamage> {
    if (isZeroName(name)) return;
    const key = hexOf(name);
    if (level === 0) {
      if (this.#isLost(name, key)) yield { chunkIndex: first, chunkCount: 1, name: key };
      return;
    }
    if (this.#whole.has(key)) return;
    const node = this.#read(name, (bytes) => {
      checkNode(bytes, 'map');
      return bytes;
    });
    if (node === undefined) {
      yield { chunkIndex: first, chunkCount: chunksUnder(level), name: key };
      return;
    }
    let isWhole = true;
    const span = chunksUnder(level - 1);
    for (let index = 0; index < fanout; index += 1) {
      for (const damage of this.#under(nameIn(node, index), level - 1, first + index * span)) {
        isWhole = false;
        yield damage;
      }
    }
    if (isWhole) this.#whole.add(key);
  }

  #isLost(name: Uint8Array, key: NameKey): boolean {
    return this.#lost.has(key) || !this.#parts.chunks.has(name);
  }

  #read<T>(name: Uint8Array, decode: (bytes: Uint8Array) => T): T | undefined {
    if (this.#isLost(name, hexOf(name))) return undefined;
    try {
      const bytes = this.#parts.reader.get(name);
      assert(!(bytes instanceof Promise), 'a directory store reads synchronously');
      return decode(bytes);
    } catch (error) {
      if (isVarveError(error, 'CORRUPT', 'NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

interface JoinedDamage {
  readonly chunkIndex: number;
  chunkCount: number;
  readonly names: NameKey[];
}

function joined(damage: readonly ChunkDamage[]): JoinedDamage[] {
  const result: JoinedDamage[] = [];
  for (const { chunkIndex, chunkCount, name } of damage) {
    const last = result.at(-1);
    if (last !== undefined && last.chunkIndex + last.chunkCount === chunkIndex) {
      last.chunkCount += chunkCount;
      last.names.push(name);
    } else result.push({ chunkIndex, chunkCount, names: [name] });
  }
  return result;
}

import { LruMap } from '../base/lru.ts';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { MaybePromise } from '../block/block-device.ts';
import { hexOf, type NameKey } from './chunk.ts';
import type { ChunkLocation, ChunkTable } from './chunk-table.ts';
import { bodyKinds } from './pack-format.ts';
import type { PackStore } from './pack-store.ts';
import { unpackBody } from './unpack-body.ts';

/** Gives bodies by name, each checked against it. */
export interface BodySource {
  /** The body belongs to the source: read it, and do not change it. @throws NOT_FOUND, CORRUPT */
  get(name: Uint8Array): MaybePromise<Uint8Array>;
}

const chunkCacheBytes = 32 * 1024 * 1024;
const nodeCacheBytes = 32 * 1024 * 1024;

/** Reads bodies from a store's packs, and keeps the last used ones: nodes apart, so that data does not displace them. */
export class ChunkReader implements BodySource {
  readonly #table: ChunkTable;
  readonly #packs: PackStore;
  readonly #chunks = new LruMap<NameKey, Uint8Array>(chunkCacheBytes);
  readonly #nodes = new LruMap<NameKey, Uint8Array>(nodeCacheBytes);

  constructor(table: ChunkTable, packs: PackStore) {
    this.#table = table;
    this.#packs = packs;
  }

  /** Hot: once for each chunk of a read, and each node on the way (bench/read.ts). */
  get(name: Uint8Array): MaybePromise<Uint8Array> {
    const key = hexOf(name);
    return this.#nodes.get(key) ?? this.#chunks.get(key) ?? this.#load(name, key);
  }

  #load(name: Uint8Array, key: NameKey): MaybePromise<Uint8Array> {
    const location = this.#locate(name, key);
    const stored = new Uint8Array(location.storedLength);
    let reading: MaybePromise<void>;
    try {
      reading = this.#packs.read(location.packKey, stored, location.offset);
    } catch (error) {
      return this.#loadMoved(location, key, error);
    }
    if (reading === undefined) return this.#unpack(stored, location, key);
    return reading.then(
      () => this.#unpack(stored, location, key),
      (error) => this.#loadMoved(location, key, error),
    );
  }

  /** Garbage collection may move a body to another pack between the look into the catalog and the read. */
  #loadMoved(before: ChunkLocation, key: NameKey, error: unknown): MaybePromise<Uint8Array> {
    const after = this.#table.find(before.name);
    if (!isVarveError(error, 'NOT_FOUND') || after === undefined) throw error;
    if (after.packId === before.packId) {
      throw new VarveError('CORRUPT', `${before.packKey}: the pack is missing; run varve verify to see what it hurts`);
    }
    return this.#load(before.name, key);
  }

  #locate(name: Uint8Array, key: NameKey): ChunkLocation {
    const location = this.#table.find(name);
    if (location !== undefined) return location;
    throw new VarveError(
      'CORRUPT',
      `chunk ${key.slice(0, 16)}… is not in the store; run varve verify to see what it hurts`,
    );
  }

  #unpack(stored: Uint8Array, location: ChunkLocation, key: NameKey): Uint8Array {
    const bytes = unpackBody(stored, location, location.packKey);
    const cache = location.kind === bodyKinds.chunk ? this.#chunks : this.#nodes;
    cache.set(key, bytes, bytes.length);
    return bytes;
  }
}

import { VarveError } from '../base/varve-error.ts';
import type { Catalog, Row } from './catalog.ts';
import { chunkSize, hexOf, type NameKey, zeroName } from './chunk.ts';
import type { BodyKind, BodyMethod, PackEntry } from './pack-format.ts';

/** Where a body is: the pack's key and its entry there, and the number the catalog knows it by. */
export interface ChunkLocation extends PackEntry {
  readonly id: number;
  readonly packId: number;
  readonly packKey: string;
}

/** The key of a pack among the store's objects. */
export function packKey(name: Uint8Array): string {
  const hex = hexOf(name);
  return `packs/${hex.slice(0, 2)}/${hex}.pack`;
}

const knownAmongPlaces = Array.from({ length: 16 }, (_, place) => place);
const knownAmongQuery = `SELECT name FROM chunks WHERE name IN (${knownAmongPlaces.map(() => '?').join(', ')})`;

/** The catalog's index of bodies: names to places in packs. */
export class ChunkTable {
  readonly #catalog: Catalog;
  readonly #packKeys = new Map<number, string>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  has(name: Uint8Array): boolean {
    return this.idOf(name) !== undefined;
  }

  /**
   * Those of up to 16 names that the catalog knows, as keys. Hot: asking for 16 at once takes a quarter of the time
   * (`npm run bench import-again`).
   */
  knownAmong(names: readonly Uint8Array[]): Set<NameKey> {
    const asked = Array.from(knownAmongPlaces, (place) => names[place] ?? zeroName);
    const rows = this.#catalog.all(knownAmongQuery, ...asked);
    return new Set(rows.map((row) => hexOf(row.name as Uint8Array)));
  }

  /** The number the catalog knows a name by. */
  idOf(name: Uint8Array): number | undefined {
    return this.#catalog.get('SELECT id FROM chunks WHERE name = ?', name)?.id as number | undefined;
  }

  /** The numbers the catalog knows a name and its pack by; the pack may be gone from a damaged catalog. */
  placeOf(name: Uint8Array): { readonly id: number; readonly packId: number } | undefined {
    const row = this.#catalog.get('SELECT id, pack FROM chunks WHERE name = ?', name);
    return row === undefined ? undefined : { id: row.id as number, packId: row.pack as number };
  }

  /** Hot: once for each chunk read that no cache holds. @throws CORRUPT when the catalog contradicts itself */
  find(name: Uint8Array): ChunkLocation | undefined {
    const row = this.#catalog.get(
      'SELECT id, pack, offset, stored_length, length, crc32, method, kind FROM chunks WHERE name = ?',
      name,
    );
    if (row === undefined) return undefined;
    const packKey = this.#keyOf(row.pack as number);
    if (packKey === undefined) return this.#findMoved(name, row);
    if (!isPlausible(row)) throw damaged(name, 'is in an impossible place');
    return {
      id: row.id as number,
      name,
      packId: row.pack as number,
      packKey,
      offset: row.offset as number,
      storedLength: row.stored_length as number,
      length: row.length as number,
      crc32: row.crc32 as number,
      method: row.method as BodyMethod,
      kind: row.kind as BodyKind,
    };
  }

  /** Registers a pack and those of its entries that no other pack has; inside a transaction. */
  addPack(name: Uint8Array, size: number, entries: readonly PackEntry[]): number {
    const id = this.#catalog.run('INSERT INTO packs (name, size) VALUES (?, ?)', name, size).lastId;
    for (const entry of entries) {
      this.#catalog.run(
        `INSERT OR IGNORE INTO chunks (name, pack, offset, stored_length, length, crc32, method, kind)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        entry.name,
        id,
        entry.offset,
        entry.storedLength,
        entry.length,
        entry.crc32,
        entry.method,
        entry.kind,
      );
    }
    return id;
  }

  /** Moves bodies to a pack that holds copies of them; inside a transaction. */
  moveTo(packId: number, entries: readonly PackEntry[]): void {
    for (const entry of entries) {
      this.#catalog.run('UPDATE chunks SET pack = ?, offset = ? WHERE name = ?', packId, entry.offset, entry.name);
    }
  }

  /** Garbage collection may move a body, and delete its pack, between the two looks into the catalog. */
  #findMoved(name: Uint8Array, before: Row): ChunkLocation | undefined {
    if (this.placeOf(name)?.packId !== before.pack) return this.find(name);
    throw damaged(name, 'is in a pack that the catalog does not have');
  }

  #keyOf(packId: number): string | undefined {
    const known = this.#packKeys.get(packId);
    if (known !== undefined) return known;
    const name = this.#catalog.get('SELECT name FROM packs WHERE id = ?', packId)?.name as Uint8Array | undefined;
    if (name === undefined) return undefined;
    const key = packKey(name);
    this.#packKeys.set(packId, key);
    return key;
  }
}

/** Whether a body can be where a row has it: room is made for it before it is read. */
function isPlausible(row: Row): boolean {
  const storedLength = row.stored_length as number;
  const length = row.length as number;
  return (row.offset as number) >= 0 && storedLength > 0 && storedLength <= length && length <= chunkSize;
}

function damaged(name: Uint8Array, why: string): VarveError {
  const advice = 'run varve verify to see what it hurts';
  return new VarveError('CORRUPT', `catalog: chunk ${hexOf(name).slice(0, 16)}… ${why}; ${advice}`);
}

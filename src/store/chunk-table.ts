import type { Catalog } from './catalog.ts';
import { hexOf } from './chunk.ts';
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

  /** The number the catalog knows a name by. */
  idOf(name: Uint8Array): number | undefined {
    return this.#catalog.get('SELECT id FROM chunks WHERE name = ?', name)?.id as number | undefined;
  }

  /** Hot: once for each chunk read that no cache holds. */
  find(name: Uint8Array): ChunkLocation | undefined {
    const row = this.#catalog.get(
      'SELECT id, pack, offset, stored_length, length, crc32, method, kind FROM chunks WHERE name = ?',
      name,
    );
    if (row === undefined) return undefined;
    return {
      id: row.id as number,
      name,
      packId: row.pack as number,
      packKey: this.#keyOf(row.pack as number),
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

  #keyOf(packId: number): string {
    let key = this.#packKeys.get(packId);
    if (key === undefined) {
      key = packKey(this.#catalog.get('SELECT name FROM packs WHERE id = ?', packId)?.name as Uint8Array);
      this.#packKeys.set(packId, key);
    }
    return key;
  }
}

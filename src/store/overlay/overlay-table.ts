import type { Catalog, Row } from '../catalog.ts';

/** What the lowest layer of a stack lies on: a snapshot, which may be gone by now, and its content, which is kept. */
export interface LayerBase {
  /** The name of the content's root record. */
  readonly root: Uint8Array;
  readonly id: Uint8Array;
  readonly number: number;
}

/** What is known of a snapshot that is being stored. */
export interface PendingNote {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly author: string;
  readonly tag: string | undefined;
}

/** A layer of changes over an image, as the catalog has it. */
export interface Layer {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The catalog's number of the image. */
  readonly image: number;
  /** Whose changes these are; empty for the image's own. */
  readonly owner: string;
  /** 1 and up, the lowest first; numbers in between may be missing. */
  readonly position: number;
  /** The disk's size in bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Given for the lowest of a stack, and for no other. */
  readonly base: LayerBase | undefined;
  /** The snapshot that ends with this layer, and is being stored. */
  readonly pending: PendingNote | undefined;
  /** What a transaction calls its state with all up to this layer. */
  readonly savepoint?: string | undefined;
}

const columns = `id, image, owner, position, size, created, base, base_id, base_number,
  number, time, message, author, tag`;

/** The catalog's layers of changes. What changes them is in `edit-overlays.ts`. */
export class OverlayTable {
  readonly #catalog: Catalog;
  #isThere: boolean | undefined;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** The layers of one stack, the lowest first. */
  stack(image: number, owner = ''): Layer[] {
    return this.#select('WHERE image = ? AND owner = ? ORDER BY position', image, owner);
  }

  /** All layers over an image, whoever's. */
  over(image: number): Layer[] {
    return this.#select('WHERE image = ? ORDER BY owner, position', image);
  }

  /** Every layer of the store. */
  all(): Layer[] {
    return this.#select('ORDER BY image, owner, position');
  }

  /** The layers of one owner, whichever image they are over. */
  ownedBy(owner: string): Layer[] {
    return this.#select('WHERE owner = ? ORDER BY image, position', owner);
  }

  find(id: string): Layer | undefined {
    return this.#select('WHERE id = ?', id)[0];
  }

  /** The snapshots of an image that are being stored, oldest first. */
  pending(image: number): PendingNote[] {
    return this.stack(image).flatMap(({ pending }) => (pending === undefined ? [] : [pending]));
  }

  insert({ id, image, owner, position, size, created, base }: Omit<Layer, 'pending'>): void {
    this.#catalog.run(
      `INSERT INTO overlays (id, image, owner, position, size, created, base, base_id, base_number)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, image, owner, position, size, created],
      ...[base?.root ?? null, base?.id ?? null, base?.number ?? null],
    );
  }

  setBase(id: string, base: LayerBase): void {
    this.#catalog.run(
      'UPDATE overlays SET base = ?, base_id = ?, base_number = ? WHERE id = ?',
      ...[base.root, base.id, base.number, id],
    );
  }

  setPending(id: string, { number, time, message, author, tag }: PendingNote): void {
    this.#catalog.run(
      'UPDATE overlays SET number = ?, time = ?, message = ?, author = ?, tag = ? WHERE id = ?',
      ...[number, time, message, author, tag ?? null, id],
    );
  }

  /** The column is that of tags: only layers that make snapshots have such. */
  setSavepoint(id: string, name: string): void {
    this.#catalog.run('UPDATE overlays SET tag = ? WHERE id = ?', name, id);
  }

  delete(id: string): void {
    this.#catalog.run('DELETE FROM overlays WHERE id = ?', id);
  }

  #select(rest: string, ...values: (number | string)[]): Layer[] {
    // A catalog of version 1 that may not be written to has no such table.
    this.#isThere ??= this.#catalog.hasTable('overlays');
    if (!this.#isThere) return [];
    return this.#catalog.all(`SELECT ${columns} FROM overlays ${rest}`, ...values).map(layerOf);
  }
}

function layerOf(row: Row): Layer {
  return {
    id: row.id as string,
    image: row.image as number,
    owner: row.owner as string,
    position: row.position as number,
    size: row.size as number,
    created: row.created as number,
    base: baseOf(row),
    pending: pendingOf(row),
    savepoint: row.number === null && typeof row.tag === 'string' ? row.tag : undefined,
  };
}

function baseOf({ base, base_id: id, base_number: number }: Row): LayerBase | undefined {
  return base === null ? undefined : { root: base as Uint8Array, id: id as Uint8Array, number: number as number };
}

function pendingOf({ number, time, message, author, tag }: Row): PendingNote | undefined {
  if (number === null) return undefined;
  return {
    number: number as number,
    time: time as number,
    message: message as string,
    author: author as string,
    tag: (tag as string | null) ?? undefined,
  };
}

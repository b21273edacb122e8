import { VarveError } from '../base/varve-error.ts';
import type { Catalog, Row } from './catalog.ts';
import { hexOf } from './chunk.ts';
import { completedRewrites } from './history-rewrites.ts';
import { parseReference, type SnapshotReference } from './image-name.ts';
import type { ImageRecord } from './image-record.ts';
import type { SnapshotStatistics } from './manifest.ts';
import type { OverlayTable } from './overlay/overlay-table.ts';

/** A snapshot as the catalog has it. */
export interface Snapshot {
  readonly image: string;
  readonly number: number;
  /** The BLAKE3-256 of its manifest. */
  readonly id: Uint8Array;
  /** The id of the snapshot it was made from; that one may be gone. */
  readonly parent: Uint8Array | undefined;
  /** The name of its content's root record. */
  readonly root: Uint8Array;
  /** The disk's size in bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly message: string;
  readonly author: string;
  readonly tags: readonly string[];
  readonly statistics: SnapshotStatistics;
}

/** An image as the catalog has it. */
export interface Image {
  /** The catalog's number for it. */
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly snapshotCount: number;
}

const snapshotColumns = `s.number, s.id, s.parent, s.root, s.size, s.time, s.message, s.author,
  s.data_length, s.added_length, s.stored_length, i.name AS image`;
const imageColumns = `i.id, i.uuid, i.name, i.created,
  (SELECT count(*) FROM snapshots s WHERE s.image = i.id) AS snapshot_count`;

/** The catalog's images, snapshots and tags: looking them up. What changes them is in `ImageEditor`. */
export class ImageTable {
  readonly #catalog: Catalog;
  readonly #overlays: OverlayTable;

  constructor(catalog: Catalog, overlays: OverlayTable) {
    this.#catalog = catalog;
    this.#overlays = overlays;
  }

  /** All images, by name. */
  all(): Image[] {
    return this.#catalog.all(`SELECT ${imageColumns} FROM images i ORDER BY i.name`).map(imageOf);
  }

  find(name: string): Image | undefined {
    const row = this.#catalog.get(`SELECT ${imageColumns} FROM images i WHERE i.name = ?`, name.normalize('NFC'));
    return row === undefined ? undefined : imageOf(row);
  }

  /** @throws NOT_FOUND */
  get(name: string): Image {
    const image = this.find(name);
    if (image !== undefined) return image;
    throw new VarveError('NOT_FOUND', `there is no image ${name}; varve list shows what there is`);
  }

  /** An image's snapshots, oldest first. @throws NOT_FOUND */
  snapshots(name: string): Snapshot[] {
    const image = this.get(name);
    const tags = this.#tags(image.id);
    const rows = this.#catalog.all(
      `SELECT ${snapshotColumns} FROM snapshots s JOIN images i ON i.id = s.image WHERE s.image = ? ORDER BY s.number`,
      image.id,
    );
    return rows.map((row) => snapshotOf(row, tags.get(row.number as number) ?? []));
  }

  /** The newest snapshot of every image, by the image's name. */
  newest(): Map<string, Snapshot> {
    const rows = this.#catalog.all(
      `SELECT ${snapshotColumns} FROM (SELECT image, max(number) AS number FROM snapshots GROUP BY image) n
       JOIN snapshots s ON s.image = n.image AND s.number = n.number JOIN images i ON i.id = s.image`,
    );
    return new Map(rows.map((row) => [row.image as string, snapshotOf(row, [])]));
  }

  /** Every snapshot of the store, with no order and no tags. */
  *every(): Iterable<Snapshot> {
    for (const row of this.#catalog.iterate(
      `SELECT ${snapshotColumns} FROM snapshots s JOIN images i ON i.id = s.image`,
    )) {
      yield snapshotOf(row, []);
    }
  }

  /** What an image's record is to say, by the catalog's number for the image; undefined when it is not there. */
  record(imageId: number): ImageRecord | undefined {
    const image = this.#catalog.get('SELECT uuid, name, next_number FROM images WHERE id = ?', imageId);
    if (image === undefined) return undefined;
    const tags = this.#catalog.all('SELECT name, number FROM tags WHERE image = ? ORDER BY name', imageId);
    const messages = this.#catalog.all(
      'SELECT number, message FROM snapshots WHERE image = ? AND described = 1',
      imageId,
    );
    return {
      uuid: image.uuid as string,
      name: image.name as string,
      nextNumber: image.next_number as number,
      tags: Object.fromEntries(tags.map((row) => [row.name, row.number as number])),
      messages: Object.fromEntries(messages.map((row) => [row.number, row.message as string])),
      rewrites: completedRewrites(this.#catalog, image.uuid as string),
    };
  }

  /**
   * The snapshot that `web`, `web@3`, `web@tag` or `web@{hash prefix}` names.
   * @throws INVALID, NOT_FOUND, BUSY for one that is being stored still
   */
  resolve(reference: string): Snapshot {
    const parsed = parseReference(reference);
    const image = this.get(parsed.image);
    const number = this.#pendingNumber(image.id, parsed);
    if (number !== undefined) {
      throw new VarveError('BUSY', `${image.name}@${number} is being stored still; try again in a moment`);
    }
    const row = this.#select(image.id, parsed);
    if (row !== undefined) return snapshotOf(row, this.#tags(image.id).get(row.number as number) ?? []);
    throw new VarveError('NOT_FOUND', `there is no snapshot ${reference}; varve log ${image.name} shows what there is`);
  }

  /** A snapshot whose content has this root, whichever. */
  withRoot(root: Uint8Array): Snapshot | undefined {
    const select = `SELECT ${snapshotColumns} FROM snapshots s JOIN images i ON i.id = s.image WHERE s.root = ?`;
    const row = this.#catalog.get(`${select} ORDER BY s.id LIMIT 1`, root);
    return row === undefined ? undefined : snapshotOf(row, []);
  }

  /** The number of the snapshot that a reference names, where that is being stored. @throws INVALID, NOT_FOUND */
  pendingNumber(reference: string): number | undefined {
    const parsed = parseReference(reference);
    return this.#pendingNumber(this.get(parsed.image).id, parsed);
  }

  /** The number of the snapshot that is meant, when that is being stored. */
  #pendingNumber(imageId: number, { selector }: SnapshotReference): number | undefined {
    const pending = this.#overlays.pending(imageId);
    if (selector.kind === 'newest') return pending.at(-1)?.number;
    return pending.find(
      ({ number, tag }) =>
        (selector.kind === 'number' && number === selector.number) || (selector.kind === 'tag' && tag === selector.tag),
    )?.number;
  }

  #select(imageId: number, { image, selector }: SnapshotReference): Row | undefined {
    const select = `SELECT ${snapshotColumns} FROM snapshots s JOIN images i ON i.id = s.image WHERE s.image = ?`;
    switch (selector.kind) {
      case 'newest':
        return this.#catalog.get(`${select} ORDER BY s.number DESC LIMIT 1`, imageId);
      case 'number':
        return this.#catalog.get(`${select} AND s.number = ?`, imageId, selector.number);
      case 'tag':
        return this.#catalog.get(
          `${select} AND s.number = (SELECT number FROM tags WHERE image = ? AND name = ?)`,
          imageId,
          imageId,
          selector.tag,
        );
      case 'id':
        return this.#byPrefix(select, imageId, image, selector.prefix);
    }
  }

  #byPrefix(select: string, imageId: number, image: string, prefix: string): Row | undefined {
    const low = Buffer.from(prefix.padEnd(64, '0'), 'hex');
    const high = Buffer.from(prefix.padEnd(64, 'f'), 'hex');
    const rows = this.#catalog.all(`${select} AND s.id BETWEEN ? AND ? LIMIT 2`, imageId, low, high);
    if (rows.length < 2) return rows[0];
    throw new VarveError('INVALID', `${image}@{${prefix}} names more than one snapshot: give more digits`);
  }

  #tags(imageId: number): Map<number, string[]> {
    const tags = new Map<number, string[]>();
    for (const row of this.#catalog.all('SELECT name, number FROM tags WHERE image = ? ORDER BY name', imageId)) {
      const number = row.number as number;
      tags.set(number, [...(tags.get(number) ?? []), row.name as string]);
    }
    return tags;
  }
}

/** `web@3`, as messages write it. */
export function referenceOf(snapshot: Pick<Snapshot, 'image' | 'number'>): string {
  return `${snapshot.image}@${snapshot.number}`;
}

/** Whether two snapshots hold the same content. */
export function sameContent(a: Snapshot, b: Snapshot): boolean {
  return hexOf(a.root) === hexOf(b.root);
}

function imageOf(row: Row): Image {
  return {
    id: row.id as number,
    uuid: row.uuid as string,
    name: row.name as string,
    created: row.created as number,
    snapshotCount: row.snapshot_count as number,
  };
}

function snapshotOf(row: Row, tags: readonly string[]): Snapshot {
  return {
    image: row.image as string,
    number: row.number as number,
    id: row.id as Uint8Array,
    parent: (row.parent as Uint8Array | null) ?? undefined,
    root: row.root as Uint8Array,
    size: row.size as number,
    time: row.time as number,
    message: row.message as string,
    author: row.author as string,
    tags,
    statistics: {
      dataLength: row.data_length as number,
      addedLength: row.added_length as number,
      storedLength: row.stored_length as number,
    },
  };
}

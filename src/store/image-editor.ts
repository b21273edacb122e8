import { randomUuid } from '../base/random.ts';
import { VarveError } from '../base/varve-error.ts';
import { hexOf, sameName } from './chunk.ts';
import { nameOf } from './hash.ts';
import { imageName, tagName } from './image-name.ts';
import { encodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';
import { type Image, referenceOf, type Snapshot } from './image-table.ts';
import type { Content } from './ingest-device.ts';
import { encodeManifest, type Manifest, manifestKey } from './manifest.ts';
import type { StoreParts } from './store-parts.ts';

/** What a new snapshot says of itself. */
export interface SnapshotNote {
  readonly message: string;
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** A content that becomes a snapshot, and the snapshot it was made from. */
export interface NewSnapshot extends SnapshotNote {
  readonly content: Content;
  readonly parent: Snapshot | undefined;
}

/**
 * Changes images, each change one durable transaction. Files are written before the transaction that names them, and
 * deleted after the one that forgets them; what a crash leaves between belongs to nobody and garbage collection
 * deletes it.
 */
export class ImageEditor {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** A new image with its first snapshot. @throws EXISTS, INVALID */
  createImage(name: string, snapshot: NewSnapshot): Snapshot {
    const proper = imageName(name);
    return this.#parts.catalog.write(() => {
      this.#refuseTaken(proper);
      this.#refuseForgotten(snapshot.parent);
      this.#parts.catalog.run(
        'INSERT INTO images (uuid, name, created, next_number) VALUES (?, ?, ?, 1)',
        randomUuid(),
        proper,
        snapshot.time,
      );
      return this.#append(this.#parts.images.get(proper), snapshot);
    });
  }

  /**
   * An image's next snapshot.
   * @throws NOT_FOUND, or CONFLICT when `expectedNewest` is given and is not the newest any more
   */
  addSnapshot(name: string, snapshot: NewSnapshot, expectedNewest?: Snapshot): Snapshot {
    return this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      const newest = this.#parts.images.resolve(name);
      if (expectedNewest !== undefined && !sameName(expectedNewest.id, newest.id)) {
        throw new VarveError(
          'CONFLICT',
          `${name} changed meanwhile: ${referenceOf(newest)} is its newest snapshot now`,
        );
      }
      this.#refuseForgotten(snapshot.parent);
      return this.#append(image, snapshot);
    });
  }

  /** Another snapshot of the newest content, whatever that is at this moment. @throws NOT_FOUND */
  repeatNewest(name: string, note: SnapshotNote): Snapshot {
    return this.#parts.catalog.write(() => {
      const newest = this.#parts.images.resolve(name);
      return this.#append(this.#parts.images.get(name), { ...note, parent: newest, content: sameContentAs(newest) });
    });
  }

  /** @throws NOT_FOUND, EXISTS, INVALID */
  rename(name: string, newName: string): void {
    const proper = imageName(newName);
    this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      this.#refuseTaken(proper);
      this.#parts.catalog.run('UPDATE images SET name = ? WHERE id = ?', proper, image.id);
      this.#record(image.id);
    });
  }

  /** Gives a snapshot a name; with `move` it may be another snapshot's until now. @throws EXISTS, NOT_FOUND, INVALID */
  tag(reference: string, tag: string, options: { move: boolean }): Snapshot {
    const proper = tagName(tag);
    return this.#parts.catalog.write(() => {
      const snapshot = this.#parts.images.resolve(reference);
      const image = this.#parts.images.get(snapshot.image);
      const verb = options.move ? 'INSERT OR REPLACE' : 'INSERT OR IGNORE';
      const { changes } = this.#parts.catalog.run(
        `${verb} INTO tags (image, name, number) VALUES (?, ?, ?)`,
        image.id,
        proper,
        snapshot.number,
      );
      if (changes === 0) throw new VarveError('EXISTS', `${image.name}@${proper} exists already; move it with --move`);
      this.#record(image.id);
      return this.#parts.images.resolve(referenceOf(snapshot));
    });
  }

  /** @throws NOT_FOUND */
  removeTag(imageNameText: string, tag: string): void {
    this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(imageNameText);
      const { changes } = this.#parts.catalog.run(
        'DELETE FROM tags WHERE image = ? AND name = ?',
        image.id,
        tagName(tag),
      );
      if (changes === 0) throw new VarveError('NOT_FOUND', `${image.name} has no tag ${tag}`);
      this.#record(image.id);
    });
  }

  /** Changes a snapshot's message. @throws NOT_FOUND */
  describe(reference: string, message: string): Snapshot {
    return this.#parts.catalog.write(() => {
      const snapshot = this.#parts.images.resolve(reference);
      const image = this.#parts.images.get(snapshot.image);
      this.#parts.catalog.run(
        'UPDATE snapshots SET message = ?, described = 1 WHERE image = ? AND number = ?',
        message,
        image.id,
        snapshot.number,
      );
      this.#record(image.id);
      return { ...snapshot, message };
    });
  }

  /** Removes snapshots of one image, all or none; their space comes back with garbage collection. @throws NOT_FOUND, INVALID */
  removeSnapshots(name: string, snapshotNumbers: readonly number[]): void {
    const numbers = [...new Set(snapshotNumbers)];
    const removed = this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      if (numbers.length >= image.snapshotCount) {
        throw new VarveError(
          'INVALID',
          `cannot remove the last snapshot of ${name}; varve remove ${name} removes the image`,
        );
      }
      const snapshots = numbers.map((number) => this.#parts.images.resolve(`${image.name}@${number}`));
      for (const number of numbers) {
        this.#parts.catalog.run('DELETE FROM snapshots WHERE image = ? AND number = ?', image.id, number);
        this.#parts.catalog.run('DELETE FROM tags WHERE image = ? AND number = ?', image.id, number);
      }
      this.#record(image.id);
      return snapshots;
    });
    for (const { id } of removed) this.#parts.packs.delete(manifestKey(id));
  }

  /** Removes an image and its snapshots. @throws NOT_FOUND */
  removeImage(name: string): void {
    const { image, snapshots } = this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      const snapshots = this.#parts.images.snapshots(name);
      for (const table of ['snapshots', 'tags']) {
        this.#parts.catalog.run(`DELETE FROM ${table} WHERE image = ?`, image.id);
      }
      this.#parts.catalog.run('DELETE FROM images WHERE id = ?', image.id);
      return { image, snapshots };
    });
    for (const { id } of snapshots) this.#parts.packs.delete(manifestKey(id));
    this.#parts.packs.delete(imageRecordKey(image.uuid));
  }

  #append(image: Image, snapshot: NewSnapshot): Snapshot {
    const { catalog, packs } = this.#parts;
    const number = catalog.get('SELECT next_number FROM images WHERE id = ?', image.id)?.next_number as number;
    const { root, size, statistics } = snapshot.content;
    this.#refuseCollected(root);
    const { message, author, time } = snapshot;
    const parent = snapshot.parent?.id;
    const manifest: Manifest = {
      image: { uuid: image.uuid, name: image.name },
      ...{ number, root, size, parent, time, message, author, statistics },
    };
    const bytes = encodeManifest(manifest);
    const id = nameOf(bytes);
    packs.createIfAbsent(manifestKey(id), bytes);
    catalog.run(
      `INSERT INTO snapshots (image, number, id, parent, root, size, time, message, author, described,
         data_length, added_length, stored_length) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
      ...[image.id, number, id, parent ?? null, root, size, time, message, author],
      ...[statistics.dataLength, statistics.addedLength, statistics.storedLength],
    );
    catalog.run('UPDATE images SET next_number = ? WHERE id = ?', number + 1, image.id);
    return { image: image.name, number, id, parent, root, size, time, message, author, tags: [], statistics };
  }

  #refuseTaken(name: string): void {
    if (this.#parts.images.find(name) === undefined) return;
    throw new VarveError('EXISTS', `an image ${name} exists already; choose another name or remove it`);
  }

  /** A content is only safe from garbage collection while a snapshot names it. */
  #refuseForgotten(snapshot: Snapshot | undefined): void {
    if (snapshot === undefined) return;
    if (this.#parts.catalog.get('SELECT 1 FROM snapshots WHERE id = ?', snapshot.id) !== undefined) return;
    throw new VarveError('NOT_FOUND', `${referenceOf(snapshot)} was removed meanwhile`);
  }

  /** Garbage collection takes a content that nobody named or held whole, with its root record. */
  #refuseCollected(root: Uint8Array): void {
    if (this.#parts.chunks.has(root)) return;
    throw new VarveError('NOT_FOUND', `content ${hexOf(root).slice(0, 16)}… is not in the store; import it again`);
  }

  /** Writes down what changed of an image, for the rebuilding of a lost catalog; inside a transaction. */
  #record(imageId: number): void {
    const record = this.#parts.images.record(imageId) as ImageRecord;
    this.#parts.packs.replace(imageRecordKey(record.uuid), encodeImageRecord(record));
  }
}

/** The content of a snapshot that stands in the store already. */
export function sameContentAs(snapshot: Snapshot): Content {
  const { root, size, statistics } = snapshot;
  return { root, size, statistics: { dataLength: statistics.dataLength, addedLength: 0, storedLength: 0 } };
}

import { randomUuid } from '../base/random.ts';
import { VarveError } from '../base/varve-error.ts';
import { appendSnapshot, type SnapshotNote } from './append-snapshot.ts';
import { sameName } from './chunk.ts';
import { forgetRewrites } from './history-rewrites.ts';
import { imageName, tagName } from './image-name.ts';
import { encodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';
import { type Image, referenceOf, type Snapshot } from './image-table.ts';
import type { Content } from './ingest-device.ts';
import { manifestKey } from './manifest.ts';
import { refuseMachines, refuseOverlays, refuseWriters } from './overlay/refuse-overlays.ts';
import { dropLayers, removeLayerFiles } from './overlay/remove-layers.ts';
import type { StoreParts } from './store-parts.ts';

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
      refuseOverlays(this.#parts, image);
      return this.#append(image, snapshot);
    });
  }

  /**
   * An image's next snapshot, in place of the uncommitted changes to it, which this process holds. @throws NOT_FOUND
   */
  addSnapshotInstead(name: string, snapshot: NewSnapshot): Snapshot {
    const removed = this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      this.#refuseForgotten(snapshot.parent);
      const layers = dropLayers(this.#parts, this.#parts.overlays.stack(image.id));
      return { layers, made: this.#append(image, snapshot) };
    });
    removeLayerFiles(this.#parts, removed.layers);
    return removed.made;
  }

  /** Another snapshot of the newest content, whatever that is at this moment. @throws NOT_FOUND */
  repeatNewest(name: string, note: SnapshotNote): Snapshot {
    return this.#parts.catalog.write(() => {
      const newest = this.#parts.images.resolve(name);
      refuseOverlays(this.#parts, this.#parts.images.get(name));
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
      this.record(image.id);
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
      this.record(image.id);
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
      this.record(image.id);
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
      this.record(image.id);
      return { ...snapshot, message };
    });
  }

  /**
   * Removes snapshots of one image, all or none; their space comes back with garbage collection.
   * @throws NOT_FOUND, INVALID, CONFLICT for one that a machine has an overlay on
   */
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
      refuseMachines(this.#parts, image, 'remove', numbers);
      const snapshots = numbers.map((number) => this.#parts.images.resolve(`${image.name}@${number}`));
      for (const number of numbers) {
        this.#parts.catalog.run('DELETE FROM snapshots WHERE image = ? AND number = ?', image.id, number);
        this.#parts.catalog.run('DELETE FROM tags WHERE image = ? AND number = ?', image.id, number);
      }
      this.record(image.id);
      return snapshots;
    });
    for (const { id } of removed) this.#parts.packs.delete(manifestKey(id));
  }

  /**
   * Removes an image and its snapshots; with `force` also changes to it that no snapshot has.
   * @throws NOT_FOUND, BUSY while somebody writes to it, CONFLICT for such changes, and for overlays of machines anyhow
   */
  removeImage(name: string, { force = false }: { readonly force?: boolean | undefined } = {}): void {
    const { image, snapshots, layers } = this.#parts.catalog.write(() => {
      const image = this.#parts.images.get(name);
      refuseWriters(this.#parts, image);
      refuseMachines(this.#parts, image, 'remove');
      if (!force) refuseOverlays(this.#parts, image, 'or --force removes them, too');
      const layers = dropLayers(this.#parts, this.#parts.overlays.over(image.id));
      const snapshots = this.#parts.images.snapshots(name);
      for (const table of ['snapshots', 'tags']) {
        this.#parts.catalog.run(`DELETE FROM ${table} WHERE image = ?`, image.id);
      }
      forgetRewrites(this.#parts.catalog, image.uuid);
      this.#parts.catalog.run('DELETE FROM images WHERE id = ?', image.id);
      return { image, snapshots, layers };
    });
    removeLayerFiles(this.#parts, layers);
    for (const { id } of snapshots) this.#parts.packs.delete(manifestKey(id));
    this.#parts.packs.delete(imageRecordKey(image.uuid));
  }

  #append(image: Image, { parent, ...snapshot }: NewSnapshot): Snapshot {
    return appendSnapshot(this.#parts, image, { ...snapshot, parent: parent?.id });
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

  /** Writes down what changed of an image, for the rebuilding of a lost catalog; inside a transaction. */
  record(imageId: number): void {
    const record = this.#parts.images.record(imageId) as ImageRecord;
    this.#parts.packs.replace(imageRecordKey(record.uuid), encodeImageRecord(record));
  }
}

/** The content of a snapshot that stands in the store already. */
export function sameContentAs(snapshot: Snapshot): Content {
  const { root, size, statistics } = snapshot;
  return { root, size, statistics: { dataLength: statistics.dataLength, addedLength: 0, storedLength: 0 } };
}

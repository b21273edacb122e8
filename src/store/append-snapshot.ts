import { VarveError } from '../base/varve-error.ts';
import { hexOf } from './chunk.ts';
import { nameOf } from './hash.ts';
import type { Image, Snapshot } from './image-table.ts';
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

/** A snapshot to be: its content, and the id of the snapshot it was made from. */
export interface AppendedSnapshot extends SnapshotNote {
  readonly content: Content;
  readonly parent: Uint8Array | undefined;
  /** A number that was given to it before; otherwise it gets the image's next one. */
  readonly number?: number;
}

/** Writes a manifest, and then the row that names it; inside a transaction. @throws NOT_FOUND when the content is gone */
export function appendSnapshot(parts: StoreParts, image: Image, snapshot: AppendedSnapshot): Snapshot {
  const { message, author, time, parent, content } = snapshot;
  const { root, size, statistics } = content;
  requireContent(parts, root);
  const number = snapshot.number ?? takeNumber(parts, image.id);
  const manifest: Manifest = {
    image: { uuid: image.uuid, name: image.name },
    ...{ number, root, size, parent, time, message, author, statistics },
  };
  const bytes = encodeManifest(manifest);
  const id = nameOf(bytes);
  parts.packs.createIfAbsent(manifestKey(id), bytes);
  parts.catalog.run(
    `INSERT INTO snapshots (image, number, id, parent, root, size, time, message, author, described,
       data_length, added_length, stored_length) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    ...[image.id, number, id, parent ?? null, root, size, time, message, author],
    ...[statistics.dataLength, statistics.addedLength, statistics.storedLength],
  );
  return { image: image.name, number, id, parent, root, size, time, message, author, tags: [], statistics };
}

/** The number of an image's next snapshot, which nobody gets again; inside a transaction. */
export function takeNumber({ catalog }: StoreParts, imageId: number): number {
  const number = catalog.get('SELECT next_number FROM images WHERE id = ?', imageId)?.next_number as number;
  catalog.run('UPDATE images SET next_number = ? WHERE id = ?', number + 1, imageId);
  return number;
}

/** Garbage collection takes a content that nobody named or held whole, with its root record. */
function requireContent({ chunks }: StoreParts, root: Uint8Array): void {
  if (chunks.has(root)) return;
  throw new VarveError('NOT_FOUND', `content ${hexOf(root).slice(0, 16)}… is not in the store; import it again`);
}

import { hexOf } from '../../store/chunk.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';

/** A snapshot as `--json` prints it everywhere: names as hexadecimal digits, times in UTC, lengths in bytes. */
export function snapshotJson(snapshot: Snapshot): object {
  const { image, number, id, parent, root, size, time, message, author, tags, statistics } = snapshot;
  return {
    reference: referenceOf(snapshot),
    image,
    number,
    tags,
    id: hexOf(id),
    parent: parent === undefined ? null : hexOf(parent),
    root: hexOf(root),
    size,
    ...statistics,
    time: new Date(time).toISOString(),
    message,
    author,
  };
}

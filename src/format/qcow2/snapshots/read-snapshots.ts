import type { BlockDevice } from '../../../block/block-device.ts';
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { corruptImage } from '../../image-errors.ts';
import type { Qcow2Header } from '../header.ts';
import { decodeSnapshotEntry, maximumSnapshotEntryLength, type SnapshotEntry } from './snapshot-table.ts';

/** The snapshots of an image, and how long their table is. */
export interface SnapshotTable {
  readonly entries: readonly SnapshotEntry[];
  /** In bytes. */
  readonly length: number;
}

const maximumTableLength = 64 * 2 ** 20;
const windowLength = 2 ** 20;

/**
 * The snapshot table of an image whose header is checked. `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`
 */
export async function readSnapshotTable(file: BlockDevice, header: Qcow2Header, name: string): Promise<SnapshotTable> {
  const entries: SnapshotEntry[] = [];
  let length = 0;
  while (entries.length < header.snapshotCount) {
    const start = header.snapshotsOffset + length;
    const window = new Uint8Array(Math.max(0, Math.min(windowLength, file.size - start)));
    if (window.length > 0) await file.read(window, start);
    const reader = new ByteReader(window, `snapshot table of ${name}`);
    do {
      entries.push(decodeSnapshotEntry(reader, name));
    } while (entries.length < header.snapshotCount && reader.remaining >= maximumSnapshotEntryLength);
    length += reader.position;
    if (length > maximumTableLength)
      throw corruptImage(name, `its snapshot table has over ${maximumTableLength} bytes`);
  }
  return { entries, length };
}

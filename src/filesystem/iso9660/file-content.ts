import { isEqual } from '../../bytes/is-equal.ts';
import { type DirectoryRecord, recordFlags } from './directory-record.ts';
import type { RockRidge } from './rock-ridge.ts';
import type { Iso9660Volume } from './volume.ts';

/** Each has up to 4 GiB. */
const mostSections = 65_536;

/** A part of a file in one piece, in bytes of the device. */
export interface FileSection {
  readonly place: number;
  readonly length: number;
}

/** What a file holds. Sizes in bytes. */
export interface FileContent {
  readonly sections: readonly FileSection[];
  readonly size: number;
  readonly allocated: number;
  /** How it is packed, which is not read. */
  readonly packing: RockRidge['packing'] | 'interleaved files';
}

/** The records of a file, which follow each other. @throws VarveError `CORRUPT` */
export async function sectionsOf(volume: Iso9660Volume, first: DirectoryRecord): Promise<DirectoryRecord[]> {
  const records = [first];
  for (let last = first; (last.flags & recordFlags.multiExtent) !== 0; records.push(last)) {
    const next = await volume.recordFrom(last.place + last.length, volume.nextBlock(last.place) + 1);
    if (next === undefined || !isEqual(next.name, first.name) || records.length === mostSections) {
      throw volume.corrupt(
        `the file of the directory record at byte ${first.place} does not go on at byte ${last.place}`,
      );
    }
    last = next;
  }
  return records;
}

/** What records of a file say of its content. */
export function contentOf(
  { blockSize }: Iso9660Volume,
  records: readonly DirectoryRecord[],
  rockRidge: RockRidge | undefined,
): FileContent {
  const sections = records.map(({ block, dataLength }) => ({ place: block * blockSize, length: dataLength }));
  const total = sections.reduce((sum, { length }) => sum + length, 0);
  return {
    sections,
    size: rockRidge?.unpackedSize ?? total,
    allocated: sections.reduce((sum, { length }) => sum + Math.ceil(length / blockSize) * blockSize, 0),
    packing: records.some(({ isInterleaved }) => isInterleaved) ? 'interleaved files' : rockRidge?.packing,
  };
}

/**
 * Reads from `offset` of a file until `target` is full or it ends; returns how many bytes.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function readContent(
  volume: Iso9660Volume,
  { sections, size, packing }: FileContent,
  target: Uint8Array,
  offset: number,
): Promise<number> {
  if (packing !== undefined) throw volume.unsupported(`the file at byte ${sections[0]!.place} is packed as ${packing}`);
  const length = Math.max(0, Math.min(target.length, size - offset));
  let start = 0;
  let done = 0;
  for (const section of sections) {
    const inside = offset + done - start;
    if (done < length && inside < section.length) {
      const part = target.subarray(done, Math.min(length, done + section.length - inside));
      await volume.read(part, section.place + inside, `the file at byte ${section.place}`);
      done += part.length;
    }
    start += section.length;
  }
  return length;
}

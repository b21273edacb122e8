/*
 * A node of a directory's tree, little-endian. $INDEX_ROOT holds the uppermost one, behind 16 bytes: 0–3 the type of attribute
 * that it is of, 4–7 how it is sorted, 8–11 how many bytes an index block has. The others are blocks of $INDEX_ALLOCATION:
 * fixups with "INDX", 16–23 the number by which it is named, and from byte 24 on:
 *
 *   byte 0–3  where the entries begin, from here     8–11 how long they may become
 *        4–7  where they end                           12 1 where there are nodes below
 *
 * An entry:
 *
 *   byte 0–7  the file                              12–13 flags: 1 a node is below, whose number is in the last 8 bytes; all
 *        8–9  length of the entry                         that is there comes before this entry; 2 the last one, without key
 *      10–11  length of its key, a $FILE_NAME       16–   the key
 *
 * Blocks are counted in clusters, or in 512 bytes where clusters are longer than they.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$INDEX_ROOT", "$INDEX_ALLOCATION" and "Index header".
 */
import { referenceAt } from './attribute.ts';
import { decodeFileName, type FileName } from './file-name.ts';

const headerLength = 16;
const entryHeader = 16;
const flags = { hasNode: 1, isLast: 2 } as const;

/** An entry of a node. */
export interface IndexEntry {
  /** The node with all that comes before it, by number. */
  readonly below: number | undefined;
  /** What it names; the last entry of a node names nothing. */
  readonly file: { readonly record: number; readonly name: FileName } | undefined;
}

/** The entries of the node whose header is at `start`, or what is wrong with them. */
export function decodeIndexNode(bytes: Uint8Array, start: number): IndexEntry[] | string {
  if (start + headerLength > bytes.length) return 'is too short';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: IndexEntry[] = [];
  const end = start + view.getUint32(start + 4, true);
  let offset = start + view.getUint32(start, true);
  if (end > bytes.length || offset < start + headerLength) return 'has entries past its end';
  for (;;) {
    const length = offset + entryHeader <= end ? view.getUint16(offset + 8, true) : 0;
    if (length < entryHeader || offset + length > end) return 'has no last entry';
    const bits = view.getUint16(offset + 12, true);
    const hasNode = (bits & flags.hasNode) !== 0;
    if (hasNode && length < entryHeader + 8) return 'has an entry without the node below';
    const node = offset + length - 8;
    const below = hasNode ? view.getUint32(node, true) + view.getUint32(node + 4, true) * 2 ** 32 : undefined;
    if ((bits & flags.isLast) !== 0) {
      entries.push({ below, file: undefined });
      return entries;
    }
    const keyEnd = offset + entryHeader + view.getUint16(offset + 10, true);
    const name = keyEnd <= offset + length ? decodeFileName(bytes.subarray(offset + entryHeader, keyEnd)) : undefined;
    if (name === undefined) return `has an entry without a name at byte ${offset}`;
    entries.push({ below, file: { record: referenceAt(view, offset), name } });
    offset += length;
  }
}

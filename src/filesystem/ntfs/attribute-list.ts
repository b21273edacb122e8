/*
 * An entry of $ATTRIBUTE_LIST, which a file has whose attributes do not fit one record; little-endian:
 *
 *   byte 0–3  type of the attribute        8–15  the first cluster that this part is about
 *        4–5  length of the entry         16–23  the record where it is
 *          6  length of its name          24–25  its number there
 *          7  where the name is
 *
 * Source: Linux-NTFS project, NTFS documentation, "$ATTRIBUTE_LIST".
 */
import { referenceAt } from './attribute.ts';

const headerLength = 26;
/** No list may be longer, in bytes. */
export const longestAttributeList = 262_144;

/** Where an attribute, or a part of it, is. */
export interface ListedAttribute {
  readonly type: number;
  readonly name: Uint8Array;
  readonly firstCluster: number;
  readonly record: number;
  readonly instance: number;
}

/** The entries of a list, or what is wrong with them. */
export function decodeAttributeList(bytes: Uint8Array): ListedAttribute[] | string {
  const entries: ListedAttribute[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset + headerLength <= bytes.length; ) {
    const length = view.getUint16(offset + 4, true);
    const nameOffset = offset + bytes[offset + 7]!;
    const name = bytes.subarray(nameOffset, nameOffset + bytes[offset + 6]! * 2);
    const isCutOff = offset + length > bytes.length || nameOffset + name.length > offset + length;
    if (length < headerLength || (isCutOff && name.length > 0)) return `has an entry of ${length} bytes`;
    entries.push({
      ...{ type: view.getUint32(offset, true), name },
      firstCluster: view.getUint32(offset + 12, true) * 2 ** 32 + view.getUint32(offset + 8, true),
      record: referenceAt(view, offset + 16),
      instance: view.getUint16(offset + 24, true),
    });
    offset += length;
  }
  return entries;
}

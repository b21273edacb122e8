/*
 * $UpCase, the tenth file: for each unit of UTF-16 the one that stands for it when names are compared, 16 bits each,
 * little-endian. Entries of directories are in the order of their names in upper case; where those are equal, in that of the
 * names as they are.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$UpCase" and "Collation".
 */

import { utf16Units } from '../utf16-name.ts';
import { attributeTypes } from './attribute.ts';
import type { NtfsVolume } from './ntfs-volume.ts';

const upcaseFile = 10;
const unitCount = 0x1_0000;

/** For each unit the one that it is compared as. */
export type UpcaseTable = Uint16Array;

/** Reads the table of a volume, which keeps it. @throws VarveError `CORRUPT` */
export async function readUpcaseTable(volume: NtfsVolume): Promise<UpcaseTable> {
  const file = await volume.file(upcaseFile);
  const bytes = await file.bytesOf(attributeTypes.data, unitCount * 2);
  if (bytes?.length !== unitCount * 2) throw volume.corrupt(`$UpCase has ${bytes?.length ?? 0} bytes`);
  return utf16Units(bytes);
}

/** Below 0 where `one` comes before `other`, 0 where only upper and lower case tells them apart. */
export function compareNames(table: UpcaseTable, one: Uint16Array, other: Uint16Array): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    const difference = table[one[index]!]! - table[other[index]!]!;
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

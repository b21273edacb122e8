/*
 * $FILE_NAME, as files have it and as the key of index entries, little-endian:
 *
 *   byte 0–7   the directory                        56–59 attributes
 *        8–39  times (timestamp.ts)                    64 length of the name, characters
 *       40–47  what it takes, in bytes                 65 kind: 0 POSIX, 1 Win32, 2 DOS, 3 both
 *       48–55  its size                             66–   the name, in UTF-16
 *
 * All but the name is a copy that is renewed now and then.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$FILE_NAME".
 */
import { utf16Units } from '../utf16-name.ts';
import { referenceAt } from './attribute.ts';

const headerLength = 66;
const dosName = 2;

/** The bits of a file's attributes, in $FILE_NAME and $STANDARD_INFORMATION. */
export const fileAttributes = {
  hidden: 2,
  system: 4,
  reparsePoint: 0x400,
  recallOnDataAccess: 0x40_0000,
  /** In $FILE_NAME only. */
  directory: 0x1000_0000,
} as const;

/** A name of a file. */
export interface FileName {
  readonly directory: number;
  readonly name: Uint16Array;
  readonly attributes: number;
  /** Whether it is the short one that goes with another one. */
  readonly isDosName: boolean;
}

/** The name that these bytes hold, or undefined where they are too few. */
export function decodeFileName(bytes: Uint8Array): FileName | undefined {
  if (bytes.length < headerLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const name = bytes.subarray(headerLength, headerLength + bytes[64]! * 2);
  if (name.length === 0 || name.length !== bytes[64]! * 2) return undefined;
  const isDosName = bytes[65] === dosName;
  return { directory: referenceAt(view, 0), name: utf16Units(name), attributes: view.getUint32(56, true), isDosName };
}

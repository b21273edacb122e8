/*
 * What the Windows Subsystem for Linux keeps in $EA of a file; little-endian, an entry:
 *
 *   byte 0–3 distance to the next (or 0 at the end)  5 length of the name    6–7 of the value    8– name, NUL, value
 *
 *   $LXUID, $LXGID, $LXMOD   32 bits each       $LXDEV   major and minor, 32 bits each
 *
 * Source: Microsoft, MS-FSCC, section 2.4.15; Windows Subsystem for Linux, documentation of file permissions.
 */
import type { FileStat } from '../file-system.ts';

const headerLength = 8;
/** $EA is never longer, in bytes. */
export const longestExtendedAttributes = 65_536;

/** The part of a file's stat that is kept so. */
export type LinuxMetadata = Partial<Pick<FileStat, 'uid' | 'gid' | 'mode' | 'device'>>;

/** What these bytes tell; entries past their end are none. */
export function decodeLinuxMetadata(bytes: Uint8Array): LinuxMetadata {
  const values = valuesOf(bytes);
  const number = (name: string, length: number, place = 0) => {
    const value = values.get(name);
    return value?.length === length ? new DataView(value.buffer, value.byteOffset).getUint32(place, true) : undefined;
  };
  const [uid, gid, mode] = ['$LXUID', '$LXGID', '$LXMOD'].map((name) => number(name, 4));
  const [major, minor] = [number('$LXDEV', 8), number('$LXDEV', 8, 4)];
  return {
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mode !== undefined && { mode: mode & 0o7777 }),
    ...(major !== undefined && minor !== undefined && { device: { major, minor } }),
  };
}

function valuesOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset + headerLength <= bytes.length; ) {
    const nameStart = offset + headerLength;
    const valueStart = nameStart + bytes[offset + 5]! + 1;
    const value = bytes.subarray(valueStart, valueStart + view.getUint16(offset + 6, true));
    values.set(String.fromCharCode(...bytes.subarray(nameStart, valueStart - 1)).toUpperCase(), value);
    const distance = view.getUint32(offset, true);
    if (distance < headerLength) break;
    offset += distance;
  }
  return values;
}

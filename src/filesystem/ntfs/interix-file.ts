/*
 * What Interix, and ntfs-3g by default, make of files that Windows does not know: system files, not hidden, that are
 *
 *   empty                              a FIFO
 *   1 byte long                        a socket
 *   "IntxLNK" 01, then UTF-16          a symlink
 *   "IntxCHR" 00, "IntxBLK" 00,        a device: 8–15 major, 16–23 minor, little-endian
 *
 * Source: ntfs-3g, documentation of special files ("special_files=interix"); Interix, file formats.
 */
import type { FileStat } from '../file-system.ts';

/** The longest symlink is 4096 characters behind its mark. */
export const longestInterixFile = 8 + 2 * 4096;

/** What kind of file it is, and a symlink's target. */
export interface InterixFile extends Pick<FileStat, 'kind' | 'device'> {
  readonly target?: Uint8Array;
}

/** What the content of a system file makes of it; undefined for just a file. */
export function decodeInterixFile(content: Uint8Array): InterixFile | undefined {
  if (content.length === 0) return { kind: 'fifo' };
  if (content.length === 1) return { kind: 'socket' };
  const mark = String.fromCharCode(...content.subarray(0, 8));
  if (mark === 'IntxLNK\u0001') {
    const target = new TextDecoder('utf-16le').decode(content.subarray(8));
    return { kind: 'symlink', target: new TextEncoder().encode(target) };
  }
  if (content.length !== 24 || (mark !== 'IntxCHR\0' && mark !== 'IntxBLK\0')) return undefined;
  const view = new DataView(content.buffer, content.byteOffset);
  const device = { major: view.getUint32(8, true), minor: view.getUint32(16, true) };
  return { kind: mark === 'IntxCHR\0' ? 'character' : 'block', device };
}

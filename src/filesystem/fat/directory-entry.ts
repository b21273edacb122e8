/*
 * An entry of a FAT directory, 32 bytes, little-endian:
 *
 *   byte  0–10  DIR_Name, 8 and 3 characters            20–21  DIR_FstClusHI
 *           11  DIR_Attr                                22–23  DIR_WrtTime
 *           12  DIR_NTRes: 8 name, 10 extension small   24–25  DIR_WrtDate
 *           13  DIR_CrtTimeTenth, 10 ms                 26–27  DIR_FstClusLO
 *        14–15  DIR_CrtTime                             28–31  DIR_FileSize
 *        16–17  DIR_CrtDate
 *        18–19  DIR_LstAccDate
 *
 * and one with a part of a long name, which stand before it, the last part first:
 *
 *   byte     0  LDIR_Ord: number from 1, 40 in the first 13    LDIR_Chksum of the short name
 *         1–10  LDIR_Name1, UTF-16                       14–25  LDIR_Name2
 *           11  LDIR_Attr, 0f                            28–31  LDIR_Name3
 *
 * Source: Microsoft, FAT32 File System Specification 1.03, "FAT Directory Structure" and "FAT Long Directory Entries".
 */
import type { Timestamp } from '../file-system.ts';

/** How long an entry is, in bytes. */
export const entryLength = 32;

/** The bits of DIR_Attr. */
export const attributes = { readOnly: 1, volumeId: 8, directory: 0x10, longName: 0x0f } as const;

/** What the first byte of an entry says in place of a name. */
export const entryMarks = { end: 0, deleted: 0xe5 } as const;

/** A file or directory, as its entry tells of it. */
export interface FatEntry {
  readonly attributes: number;
  readonly firstCluster: number;
  readonly size: number;
  readonly accessed: Timestamp | undefined;
  readonly modified: Timestamp | undefined;
  readonly created: Timestamp | undefined;
}

/** `width` is that of the file system: only FAT32 has the upper half of a cluster's number. */
export function decodeEntry(entry: Uint8Array, width: 12 | 16 | 32): FatEntry {
  const view = new DataView(entry.buffer, entry.byteOffset);
  const high = width === 32 ? view.getUint16(20, true) & 0x0fff : 0;
  return {
    attributes: entry[11]!,
    firstCluster: high * 0x1_0000 + view.getUint16(26, true),
    size: view.getUint32(28, true),
    accessed: decodeTime(view.getUint16(18, true), 0, 0),
    modified: decodeTime(view.getUint16(24, true), view.getUint16(22, true), 0),
    created: decodeTime(view.getUint16(16, true), view.getUint16(14, true), entry[13]!),
  };
}

/** The moment of a date, a time in steps of two seconds and hundredths; FAT keeps local time, taken for UTC here. */
function decodeTime(date: number, time: number, hundredths: number): Timestamp | undefined {
  if (date === 0) return undefined;
  const days = Date.UTC(1980 + (date >> 9), ((date >> 5) & 0xf) - 1, date & 0x1f) / 1000;
  const seconds = (time >> 11) * 3600 + ((time >> 5) & 0x3f) * 60 + (time & 0x1f) * 2;
  return { seconds: days + seconds + Math.floor(hundredths / 100), nanoseconds: (hundredths % 100) * 10_000_000 };
}

/** The short name of an entry as Linux shows it: `README.TXT`, small where the entry says so. */
export function shortNameOf(entry: Uint8Array): string {
  const flags = entry[12]!;
  const stem = shortText(entry.subarray(0, 8));
  const extension = shortText(entry.subarray(8, 11));
  const shown = (flags & 8) === 0 ? stem : stem.toLowerCase();
  if (extension === '') return shown;
  return `${shown}.${(flags & 0x10) === 0 ? extension : extension.toLowerCase()}`;
}

/** The text of a short name or label, which is padded with spaces. */
export function shortText(bytes: Uint8Array): string {
  let text = '';
  bytes.forEach((byte, index) => {
    // A name that begins with e5 is written with 05, as e5 means that the entry is deleted.
    const meant = index === 0 && byte === 5 ? 0xe5 : byte;
    text += meant < 0x80 ? String.fromCharCode(meant) : codePage437[meant - 0x80];
  });
  return text.replace(/ +$/, '');
}

/** The upper half of code page 437, in which Linux reads short names unless it is told another one. */
const codePage437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/*
 * The header of a member of a tar archive, one block of 512 bytes; numbers are octal text, or, where the first byte has
 * its top bit set, big-endian binary:
 *
 *   byte   0–99   name                          156      typeflag
 *        100–107  mode                          157–256  linkname
 *        108–115  uid                           257–262  magic "ustar\0" (POSIX) or "ustar " (GNU)
 *        116–123  gid                           263–264  version "00" (POSIX)
 *        124–135  size                          329–336  devmajor
 *        136–147  mtime                         337–344  devminor
 *        148–155  chksum, the sum of all bytes  345–499  prefix of the name, POSIX only
 *                 with blanks in this field
 *
 * Source: POSIX.1-2017, pax, section "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 */
import { corruptImage } from './image-errors.ts';

/** What all of an archive is a multiple of, in bytes. */
export const tarBlockSize = 512;

/** A member's header. */
export interface TarHeader {
  readonly name: string;
  /** Of its content, in bytes. */
  readonly size: number;
  /** `0` for a file, `x` for attributes of the next member, `L` for its name, … */
  readonly typeflag: string;
}

const checksumOffset = 148;
const checksumLength = 8;

/** Whether a block is a header by its magic and its checksum. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < tarBlockSize || !text(block, 257, 5).startsWith('ustar')) return false;
  return checksumOf(block) === octal(block, checksumOffset, checksumLength);
}

/** @throws VarveError `CORRUPT` for a block that is no header */
export function decodeTarHeader(block: Uint8Array, archive: string): TarHeader {
  if (!isTarHeader(block)) throw corruptImage(archive, 'it has a tar header whose magic or checksum is wrong');
  const size = tarNumber(block, 124, 12);
  if (size === undefined) throw corruptImage(archive, 'it has a tar member of a length that cannot be');
  // In place of the prefix GNU's archives have other fields.
  const prefix = block[262] === 0 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const typeflag = String.fromCharCode(block[156]!);
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, typeflag: typeflag === '\0' ? '0' : typeflag };
}

function checksumOf(block: Uint8Array): number {
  let sum = checksumLength * 0x20;
  for (let index = 0; index < tarBlockSize; index += 1) {
    if (index < checksumOffset || index >= checksumOffset + checksumLength) sum += block[index]!;
  }
  return sum;
}

/** A member's header as it is written: POSIX's own kind. Numbers and names have to fit (`fitsTarNumber`, `splitTarName`). */
export interface NewTarHeader {
  readonly name: Uint8Array;
  readonly prefix?: Uint8Array | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** In seconds since 1970. */
  readonly mtime: number;
  readonly typeflag: string;
  readonly linkname?: Uint8Array | undefined;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

/** The longest names that a header has room for, in bytes. */
export const tarNameLength = 100;
const prefixLength = 155;

/** Whether a number fits a field of `length` bytes: 8 or 12. */
export function fitsTarNumber(value: number, length: 8 | 12): boolean {
  return Number.isInteger(value) && value >= 0 && value < 8 ** (length - 1);
}

/** A name as a header holds it; undefined where it is too long for any. */
export function splitTarName(
  name: Uint8Array,
): { readonly name: Uint8Array; readonly prefix?: Uint8Array } | undefined {
  if (name.length <= tarNameLength) return { name };
  // The slash between both is not stored.
  const slash = name.subarray(0, prefixLength + 1).lastIndexOf(0x2f, name.length - 2);
  if (slash < 1 || name.length - slash - 1 > tarNameLength) return undefined;
  return { name: name.subarray(slash + 1), prefix: name.subarray(0, slash) };
}

/** The block that a header makes. */
export function encodeTarHeader(header: NewTarHeader): Uint8Array {
  const block = Buffer.alloc(tarBlockSize);
  const number = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block.set(header.name, 0);
  number(header.mode, 100, 8);
  number(header.uid, 108, 8);
  number(header.gid, 116, 8);
  number(header.size, 124, 12);
  number(header.mtime, 136, 12);
  block.write(header.typeflag, 156, 'latin1');
  if (header.linkname !== undefined) block.set(header.linkname, 157);
  block.write('ustar\x0000', 257, 'latin1');
  number(header.device?.major ?? 0, 329, 8);
  number(header.device?.minor ?? 0, 337, 8);
  if (header.prefix !== undefined) block.set(header.prefix, 345);
  block.write(`${checksumOf(block).toString(8).padStart(6, '0')}\0 `, checksumOffset, 'latin1');
  return block;
}

/** The number in a field; undefined for one that cannot be. */
export function tarNumber(block: Uint8Array, offset: number, length: number): number | undefined {
  if ((block[offset]! & 0x80) === 0) return octal(block, offset, length);
  let value = block[offset]! & 0x7f;
  for (let index = 1; index < length; index += 1) value = value * 256 + block[offset + index]!;
  return Number.isSafeInteger(value) ? value : undefined;
}

function octal(block: Uint8Array, offset: number, length: number): number | undefined {
  const digits = text(block, offset, length).trim();
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** The text in a field, up to its first zero byte. */
function text(block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end));
}

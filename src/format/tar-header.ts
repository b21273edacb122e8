/*
 * The header of a member of a tar archive, one block of 512 bytes; numbers are octal text, or, where the first byte has
 * its top bit set, big-endian binary:
 *
 *   byte   0–99   name                          156      typeflag
 *        124–135  size                          257–262  magic "ustar\0" (POSIX) or "ustar " (GNU)
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

import { VarveError } from '../../../base/varve-error.ts';
import type { RpmRecord } from './rpm-record.ts';

/*
 * Packages.db, as openSUSE's rpm writes it ("ndb"), all numbers little-endian.
 *
 *     0   4  "RpmP"                      slot, 16 bytes:              blob, at a multiple of 16:
 *     4   4  version, 0                  0  4  "Slot"                 0   4  "BlbS"
 *     8   4  generation                  4  4  number of the package  4   4  number of the package
 *    12   4  pages of slots, 4096 bytes  8  4  first block, or 0      8   4  generation
 *    16   4  next number of a package   12  4  blocks, 16 bytes each  12  4  length of the header
 *    32      slots                                                    16     the header
 *                                                                            Adler-32, length, "BlbE"
 *
 * Source: rpm's lib/backend/ndb, the description at the head of go-rpmdb's reader of it.
 */
const pageLength = 4096;
const slotLength = 16;
const blockLength = 16;
const headLength = 16;
const tailLength = 12;

const slotMagic = 'Slot';
const blobMagic = 'BlbS';

/** Whether a file is such a database. */
export function isNdb(bytes: Uint8Array): boolean {
  return bytes.length >= 32 && magicAt(bytes, 0) === 'RpmP';
}

/** The headers in a database. @throws VarveError `CORRUPT`, `UNSUPPORTED` for another version */
export function* readNdb(bytes: Uint8Array, path: string): Generator<RpmRecord> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(4, true);
  if (version !== 0) throw new VarveError('UNSUPPORTED', `${path} is an ndb of version ${version}, and 0 is read here`);
  const slotsEnd = view.getUint32(12, true) * pageLength;
  if (slotsEnd > bytes.length) {
    throw new VarveError('CORRUPT', `${path}: the slots end at byte ${slotsEnd}, and it has ${bytes.length}`);
  }
  let taken = 0;
  for (let at = 2 * slotLength; at < slotsEnd; at += slotLength) {
    if (magicAt(bytes, at) !== slotMagic) throw new VarveError('CORRUPT', `${path}: no slot at byte ${at}`);
    const number = view.getUint32(at + 4, true);
    const start = view.getUint32(at + 8, true) * blockLength;
    if (start === 0) continue;
    const space = view.getUint32(at + 12, true) * blockLength;
    taken += space;
    if (taken > bytes.length)
      throw new VarveError('CORRUPT', `${path}: slots share blocks, up to the one at byte ${at}`);
    yield { number, read: () => blobAt(bytes, start, space, number, path) };
  }
}

function blobAt(bytes: Uint8Array, start: number, space: number, number: number, path: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const what = `${path}: the package ${number} at byte ${start}`;
  if (space < headLength + tailLength || start + space > bytes.length) {
    throw new VarveError('CORRUPT', `${what} does not lie in the file`);
  }
  if (magicAt(bytes, start) !== blobMagic || view.getUint32(start + 4, true) !== number) {
    throw new VarveError('CORRUPT', `${what} is not there`);
  }
  const length = view.getUint32(start + 12, true);
  if (headLength + length + tailLength > space) throw new VarveError('CORRUPT', `${what} is longer than its blocks`);
  return bytes.subarray(start + headLength, start + headLength + length);
}

function magicAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

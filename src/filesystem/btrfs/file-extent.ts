/*
 * A piece of a file's content, by the inode and where in the file it begins; little-endian:
 *
 *   byte   0  generation      16  compression (8 bit)     18  other_encoding (16 bit)
 *          8  ram_bytes       17  encryption (8 bit)      20  type (8 bit)
 *
 *   inline (type 0)          21  the bytes themselves, ram_bytes of them when they are unpacked
 *   regular (1),             21  disk_bytenr, an address, 0 for a hole       37  offset in what is there, unpacked
 *   preallocated (2)         29  disk_num_bytes                              45  num_bytes, of the file
 *
 * Compression: 0 none, 1 zlib, 2 LZO, 3 zstd. What has no width here has 64 bits.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", EXTENT_DATA; "Compression".
 */
import { bytesOf, setU64, u64, viewOf } from './little-endian.ts';

const inlineStart = 21;
const regularLength = 53;
const types = { inline: 0, regular: 1, preallocated: 2 } as const;
/** Longer pieces are not packed as one (BTRFS_MAX_UNCOMPRESSED), in bytes. */
const longestPacked = 131_072;
const longestInline = 65_536;

/** A piece of a file; `start` and `end` in bytes of the file. */
export interface FileExtent {
  readonly start: number;
  readonly end: number;
  /** By its number; 0 for none. */
  readonly compression: number;
  readonly content:
    | { readonly kind: 'inline'; readonly bytes: DataView }
    | { readonly kind: 'hole' }
    | {
        readonly kind: 'data' | 'preallocated';
        readonly address: number;
        readonly stored: number;
        readonly offset: number;
      };
  /** How long it is when it is unpacked, in bytes. */
  readonly unpacked: number;
}

/** Takes a piece apart that begins at byte `start` of a file; a text where it cannot be one. */
export function decodeFileExtent(view: DataView, start: number, sectorSize: number): FileExtent | string {
  if (view.byteLength < inlineStart) return `has ${view.byteLength} bytes`;
  if (view.getUint8(17) !== 0 || view.getUint16(18, true) !== 0) return 'is encrypted, or encoded';
  const type = view.getUint8(20);
  const compression = view.getUint8(16);
  const unpacked = u64(view, 8);
  if (type === types.inline) return inlineExtent(view, { start, compression, unpacked });
  if (type > types.preallocated) return `is of type ${type}`;
  if (view.byteLength < regularLength) return `has ${view.byteLength} bytes`;
  const [address, stored, offset, length] = [u64(view, 21), u64(view, 29), u64(view, 37), u64(view, 45)];
  const end = start + length;
  const isAligned = [start, address, stored, offset, length].every((each) => each % sectorSize === 0);
  if (!isAligned || length === 0 || !Number.isSafeInteger(end)) return `goes from byte ${start} to ${end}`;
  if (address === 0) return { start, end, compression: 0, content: { kind: 'hole' }, unpacked };
  const room = compression === 0 ? stored : unpacked;
  if (!Number.isSafeInteger(address + stored) || stored === 0 || offset + length > room) {
    return `takes ${length} bytes from byte ${offset} of ${room}`;
  }
  if (compression !== 0 && (unpacked > longestPacked || stored > longestPacked)) {
    return `has ${stored} packed bytes, and ${unpacked} unpacked`;
  }
  const kind = type === types.preallocated ? 'preallocated' : 'data';
  return { start, end, compression, content: { kind, address, stored, offset }, unpacked };
}

/** The item of a part of a piece that is not inline; `view` is the item of the whole of it. */
export function encodeFileExtent(
  view: DataView,
  { start, content }: FileExtent,
  part: { readonly start: number; readonly end: number },
): DataView {
  const copy = viewOf(bytesOf(view).slice());
  if (content.kind !== 'hole') setU64(copy, 37, u64(view, 37) + part.start - start);
  setU64(copy, 45, part.end - part.start);
  return copy;
}

function inlineExtent(
  view: DataView,
  { start, compression, unpacked }: Pick<FileExtent, 'start' | 'compression' | 'unpacked'>,
): FileExtent | string {
  const bytes = new DataView(view.buffer, view.byteOffset + inlineStart, view.byteLength - inlineStart);
  const length = compression === 0 ? bytes.byteLength : unpacked;
  if (start !== 0 || length > longestInline)
    return `has ${length} bytes in the tree, from byte ${start} of the file on`;
  return { start, end: length, compression, content: { kind: 'inline', bytes }, unpacked: length };
}

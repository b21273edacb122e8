/*
 * What announces the parts of a stream-optimized extent, little-endian, at the start of a sector:
 *
 *   byte   0–7    val                             of a grain: its first sector on the disk
 *          8–11   size                            of a grain: how many compressed bytes follow at byte 12
 *         12–15   type, where size is 0: 0 end of stream, 1 grain table, 2 grain directory, 3 footer;
 *                 the rest of the sector is zeros, and val counts the sectors that follow
 *
 * Source: VMware, Virtual Disk Format 5.0, section "Stream-Optimized Compressed".
 */
import { alignUp } from '../../bytes/align.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { sectorSize } from './sparse-layout.ts';

/** The values of a marker's `type`. */
export const markerType = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

/** Bytes of a grain's marker, before its compressed bytes. */
export const grainMarkerLength = 12;

/** The fields of a marker. */
export interface Marker {
  /** A sector of the disk for a grain, a count of sectors else. */
  readonly val: number;
  /** In bytes; 0 for all but grains. */
  readonly size: number;
  /** Undefined for a grain. */
  readonly type: number | undefined;
}

/** The marker at the start of `bytes`: 12 bytes of a grain's, 16 of any other. @throws VarveError `CORRUPT` */
export function decodeMarker(bytes: Uint8Array, what: string): Marker {
  const reader = new ByteReader(bytes, what);
  const val = reader.u64le('val');
  const size = reader.u32le();
  return { val, size, type: size === 0 && reader.remaining >= 4 ? reader.u32le() : undefined };
}

/** The sector before `sectorCount` sectors of metadata. */
export function encodeMarker(type: number, sectorCount: number): Uint8Array {
  const writer = new ByteWriter(sectorSize);
  writer.u64le(sectorCount);
  writer.u32le(0);
  writer.u32le(type);
  return writer.bytes;
}

/** A compressed grain with its marker, in whole sectors; `sector` is its first on the disk. */
export function encodeGrain(sector: number, compressed: Uint8Array): Uint8Array {
  const writer = new ByteWriter(alignUp(grainMarkerLength + compressed.length, sectorSize));
  writer.u64le(sector);
  writer.u32le(compressed.length);
  writer.put(compressed);
  return writer.bytes;
}

/*
 * L2 table entries. Standard, 8 bytes big-endian:
 *
 *   bit  0        reads as zeros (version 3)
 *   bit  9–55     host cluster offset; 0 is unallocated
 *   bit 62        compressed
 *   bit 63        refcount is exactly one
 *
 * Compressed, with x = 62 − (cluster_bits − 8):
 *
 *   bit  0–(x−1)  host offset, of a byte
 *   bit  x–61     further 512-byte sectors after the one the offset is in
 *
 * Extended entries have 8 bytes more: bit n says that subcluster n is allocated, bit 32+n that it reads as zeros.
 *
 * Source: QEMU docs/interop/qcow2.txt, sections "Cluster mapping" and "Extended L2 Entries".
 */

import { copiedBit } from './layout.ts';

/** What a guest cluster or subcluster is; `unallocated` reads from the backing file. */
export type ClusterKind = 'data' | 'zero' | 'unallocated' | 'compressed';

/** The 512-byte sectors that compressed lengths are counted in. */
export const compressedSectorLength = 512;

const compressedBit = 0x4000_0000;
const twoTo32 = 0x1_0000_0000;

/** The kind that the first 8 bytes of an entry give, as two halves of 32 bits. */
export function standardKind(high: number, low: number): ClusterKind {
  if ((high & compressedBit) !== 0) return 'compressed';
  if ((low & 1) !== 0) return 'zero';
  return hostOffsetOf(high, low) === 0 ? 'unallocated' : 'data';
}

/**
 * The same where clusters are in an external data file, and the first one is at offset 0: the highest bit tells
 * whether it is allocated.
 */
export function externalKind(high: number, low: number): ClusterKind {
  const kind = standardKind(high, low);
  return kind === 'unallocated' && high >= copiedBit ? 'data' : kind;
}

/** Bits 9–55: the host offset of a standard cluster, an L2 table. */
export function hostOffsetOf(high: number, low: number): number {
  return (high & 0x00ff_ffff) * twoTo32 + ((low & 0xffff_fe00) >>> 0);
}

/** Where the bytes of a compressed cluster start in the file. */
export function compressedOffset(high: number, low: number, clusterBits: number): number {
  return (high & (2 ** (offsetBits(clusterBits) - 32) - 1)) * twoTo32 + (low >>> 0);
}

/** How many bytes at most they are: up to the end of their last sector. */
export function compressedLength(high: number, low: number, clusterBits: number): number {
  const furtherSectors = (high & 0x3fff_ffff) >>> (offsetBits(clusterBits) - 32);
  return (furtherSectors + 1) * compressedSectorLength - (low & (compressedSectorLength - 1));
}

/** The entry for a compressed cluster at `offset`, as halves of 32 bits. */
export function encodeCompressedEntry(
  offset: number,
  length: number,
  clusterBits: number,
): readonly [high: number, low: number] {
  const lastByte = offset + length - 1;
  const furtherSectors = Math.floor(lastByte / compressedSectorLength) - Math.floor(offset / compressedSectorLength);
  const offsetHigh = Math.floor(offset / twoTo32);
  const high = compressedBit + furtherSectors * 2 ** (offsetBits(clusterBits) - 32) + offsetHigh;
  return [high, offset % twoTo32];
}

/** The specification's x: 61 for clusters of 512 bytes, 49 for 2 MiB. */
function offsetBits(clusterBits: number): number {
  return 62 - (clusterBits - 8);
}

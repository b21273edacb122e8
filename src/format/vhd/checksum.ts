/**
 * The ones' complement of the sum of all bytes but the four of the checksum itself, at `place`.
 * Source: VHD, "Hard Disk Footer Format".
 */
export function vhdChecksum(bytes: Uint8Array, place: number): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) if (index < place || index >= place + 4) sum += byte;
  return ~sum >>> 0;
}

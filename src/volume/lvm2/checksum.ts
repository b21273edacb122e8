import { zlib } from '../../bytes/zlib.ts';

/** What LVM2's sums start from; they are not inverted at the end. Source: LVM2, lib/misc/crc.h. */
const initial = 0xf597a6cf;

/** The sum that LVM2 keeps of bytes: CRC-32 with a start and an end of its own. */
export function lvmChecksum(bytes: Uint8Array): number {
  return ~zlib().crc32(bytes, ~initial >>> 0) >>> 0;
}

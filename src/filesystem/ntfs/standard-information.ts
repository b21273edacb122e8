/*
 * $STANDARD_INFORMATION, little-endian; times are units of 100 ns since 1601, in UTC:
 *
 *   byte 0–7   when the file was made          24–31 when it was last read
 *        8–15  when its content changed        32–35 attributes (file-name.ts)
 *       16–23  when its record changed
 *
 * Source: Linux-NTFS project, NTFS documentation, "$STANDARD_INFORMATION".
 */
import type { FileStat, Timestamp } from '../file-system.ts';

const shortest = 36;
const unitsPerSecond = 10_000_000n;
const from1601To1970 = 11_644_473_600n;

/** What a file's standard information tells. */
export interface StandardInformation extends Pick<FileStat, 'created' | 'modified' | 'changed' | 'accessed'> {
  readonly attributes: number;
}

/** What these bytes tell, or undefined where they are too few. */
export function decodeStandardInformation(bytes: Uint8Array): StandardInformation | undefined {
  if (bytes.length < shortest) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    created: momentOf(view.getBigInt64(0, true)),
    modified: momentOf(view.getBigInt64(8, true)),
    changed: momentOf(view.getBigInt64(16, true)),
    accessed: momentOf(view.getBigInt64(24, true)),
    attributes: view.getUint32(32, true),
  };
}

function momentOf(units: bigint): Timestamp {
  const rest = ((units % unitsPerSecond) + unitsPerSecond) % unitsPerSecond;
  return { seconds: Number((units - rest) / unitsPerSecond - from1601To1970), nanoseconds: Number(rest) * 100 };
}

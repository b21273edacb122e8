/*
 * A record of the log, in sectors of 512 bytes, big-endian. Each sector but a header's begins with the number of the log's
 * cycle when it was written; what was there is in the headers.
 *
 *   byte   0  h_magicno, feedbabe                    24  h_tail_lsn (64 bit)       40  h_num_logops
 *          4  h_cycle                                32  h_crc, little-endian      44  h_cycle_data, 64 of 32 bits
 *          8  h_version                                                           300  h_fmt, 1 little-endian
 *         12  h_len, bytes that follow the headers                                320  h_size, since version 2
 *         16  h_lsn (64 bit)
 *
 * A record has one header, and in version 2 one for each 32 KiB of h_size; those after the first are the cycle and 64 more of
 * h_cycle_data. A place in the log (lsn) is a cycle and a sector, of 32 bits each.
 *
 * Source: XFS Algorithms & Data Structures, "Log Record".
 */
import { crc32c } from '../../../bytes/crc32c.ts';
import { bytesOf } from '../metadata-header.ts';
import { isRecordHeader, type LogRing, sectorSize } from './log-ring.ts';

/** What one header describes, in bytes, the most that follows one, and the lengths that checksums go over. */
const perHeader = 32_768;
const longestRecord = 262_144;
const summedLengths = [328, 324];
const summedNext = 260;
const cyclesPerHeader = 64;

/** A record that is whole. Places are sectors of the log. */
export interface LogRecord {
  readonly place: number;
  /** The first sector after it. */
  readonly end: number;
  readonly cycle: number;
  readonly tail: { readonly cycle: number; readonly place: number };
  readonly operationCount: number;
  /** The operations. */
  readonly data: DataView;
}

/** The record whose header is sector `place`; undefined where there is none, or not all of it was written. */
export async function readRecord(ring: LogRing, place: number): Promise<LogRecord | undefined> {
  const header = await ring.read(place, 1);
  if (!isRecordHeader(header)) return undefined;
  const length = header.getUint32(12);
  const isVersion2 = (header.getUint32(8) & 2) !== 0;
  const size = isVersion2 ? header.getUint32(320) : 0;
  if (length > longestRecord || size > longestRecord || header.getUint32(20) !== place) return undefined;
  const headerCount = Math.max(1, Math.ceil(size / perHeader));
  const dataCount = Math.ceil(length / sectorSize);
  if (headerCount * perHeader < length || headerCount + dataCount > ring.sectorCount) return undefined;
  const headers = await ring.read(place, headerCount);
  const data = await ring.read(place + headerCount, dataCount);
  if (!isWhole(headers, data, length)) return undefined;
  putBack(headers, data);
  return {
    ...{ place, end: place + headerCount + dataCount, cycle: header.getUint32(4) },
    tail: { cycle: header.getUint32(24), place: header.getUint32(28) },
    operationCount: header.getUint32(40),
    data: new DataView(data.buffer, 0, length),
  };
}

/** Whether all sectors were written in the same go. */
function isWhole(headers: DataView, data: DataView, length: number): boolean {
  for (let offset = 0; offset < data.byteLength; offset += sectorSize) {
    // A record that goes on at the start of the log is there in the next cycle.
    const cycle = data.getUint32(offset);
    if (cycle !== headers.getUint32(4) && cycle !== headers.getUint32(4) + 1) return false;
  }
  // mkfs.xfs and old kernels make none.
  const stored = headers.getUint32(32, true);
  return stored === 0 || summedLengths.some((summed) => checksumOf(headers, data, { summed, length }) === stored);
}

function checksumOf(
  headers: DataView,
  data: DataView,
  { summed, length }: { readonly summed: number; readonly length: number },
): number {
  const bytes = bytesOf(headers);
  let sum = crc32c(bytes.subarray(36, summed), crc32c(new Uint8Array(4), crc32c(bytes.subarray(0, 32))));
  for (let next = 1; next < Math.ceil(length / perHeader); next++) {
    sum = crc32c(bytes.subarray(next * sectorSize, next * sectorSize + summedNext), sum);
  }
  return crc32c(bytesOf(data).subarray(0, length), sum);
}

/** Puts what the cycles took the place of where it was. */
function putBack(headers: DataView, data: DataView): void {
  for (let sector = 0; sector * sectorSize < data.byteLength; sector++) {
    const header = Math.floor(sector / cyclesPerHeader);
    const first = header === 0 ? 44 : header * sectorSize + 4;
    data.setUint32(sector * sectorSize, headers.getUint32(first + (sector % cyclesPerHeader) * 4));
  }
}

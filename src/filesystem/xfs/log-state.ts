/*
 * The log, in sectors of 512 bytes, big-endian. Each begins with the number of the log's cycle when it was written (what was
 * there is kept in the record's header), but for the header of a record:
 *
 *   byte   0  h_magicno, feedbabe     12  h_len, bytes that follow the header     40  h_num_logops
 *          4  h_cycle                                                            320  h_size, since version 2
 *          8  h_version
 *
 * A record has one header, and in version 2 one for each 32 KiB of h_size. Operations follow:
 *
 *   byte   0  oh_tid     4  oh_len     8  oh_clientid (8 bit)     9  oh_flags (8 bit), 20 for an unmount
 *
 * Source: XFS Algorithms & Data Structures, "Journaling Log"; Linux, fs/xfs/xfs_log_recover.c (how its end is found).
 */
import { readInside } from '../read-inside.ts';
import type { XfsVolume } from './volume.ts';

const sectorSize = 512;
const headerMagic = 0xfeed_babe;
const unmountFlag = 0x20;
/** What one header describes, in bytes, and the longest record of an unmount: the log's largest stripe unit, and headers. */
const perHeader = 32_768;
const longestRecord = 262_144 / sectorSize + 9;

/** The log's sectors, on the disk. */
interface Log {
  readonly volume: XfsVolume;
  /** In bytes. */
  readonly offset: number;
  readonly sectorCount: number;
}

/**
 * Whether the last thing in the log is that the file system was unmounted. False for a log on another disk, and for one
 * that was zeroed.
 *
 * @throws VarveError `CORRUPT` where the log is not on the disk
 */
export async function isUnmounted(volume: XfsVolume): Promise<boolean> {
  const { logStart, logBlocks, blockSize } = volume.superblock;
  if (logStart === 0 || logBlocks === 0) return false;
  const block = volume.blockAt(logStart, logBlocks, 'the log');
  const log = { volume, offset: block * blockSize, sectorCount: (logBlocks * blockSize) / sectorSize };
  const head = await findHead(log);
  const back = Math.min(log.sectorCount, longestRecord);
  for (let distance = 1; distance <= back; distance++) {
    const sector = await readSector(log, head - distance);
    if (sector.getUint32(0) === headerMagic) return await isUnmount(log, sector, { place: head - distance, head });
  }
  return false;
}

/** The sector after the last one that was written: from there on sectors are of the cycle before, or empty. */
async function findHead(log: Log): Promise<number> {
  const first = await cycleAt(log, 0);
  let low = 0;
  let high = log.sectorCount;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((await cycleAt(log, middle)) === first) low = middle;
    else high = middle;
  }
  return high;
}

async function cycleAt(log: Log, sector: number): Promise<number> {
  const view = await readSector(log, sector);
  const start = view.getUint32(0);
  return start === headerMagic ? view.getUint32(4) : start;
}

async function isUnmount(
  log: Log,
  header: DataView,
  { place, head }: { readonly place: number; readonly head: number },
): Promise<boolean> {
  const isVersion2 = (header.getUint32(8) & 2) !== 0;
  const headers = isVersion2 ? Math.max(1, Math.ceil(header.getUint32(320) / perHeader)) : 1;
  const end = place + headers + Math.ceil(header.getUint32(12) / sectorSize);
  if (end !== head || header.getUint32(40) !== 1) return false;
  const operation = await readSector(log, place + headers);
  return (operation.getUint8(9) & unmountFlag) !== 0;
}

/** A sector of the log, which is a ring: before the first one is the last. */
async function readSector({ volume, offset, sectorCount }: Log, index: number): Promise<DataView> {
  const bytes = new Uint8Array(sectorSize);
  const sector = (index + sectorCount) % sectorCount;
  await readInside(volume.device, bytes, offset + sector * sectorSize, 'the log');
  return new DataView(bytes.buffer);
}

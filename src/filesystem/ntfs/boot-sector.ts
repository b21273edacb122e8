/*
 * The first sector of NTFS, and a copy behind the last one that it counts; little-endian:
 *
 *   byte   0–2   jump                        40–47  how many sectors, without the copy
 *          3–10  "NTFS    "                  48–55  where $MFT begins, in clusters
 *         11–12  bytes a sector              56–63  where $MFTMirr begins, in clusters
 *            13  sectors a cluster           64     clusters a record of $MFT, or below 0 a power of two, of bytes
 *         16–20  0, where FAT has tables     68     clusters an index block, likewise
 *            21  media                       72–79  serial number
 *         32–35  0                          510–511 55 aa
 *
 * More than 128 sectors a cluster are written as a power of two, too: f4 for 2^12.
 *
 * Source: Linux-NTFS project, NTFS documentation, "$Boot"; Microsoft, NTFS boot sector (Windows Server resource kit).
 */
import { ByteReader } from '../../bytes/byte-reader.ts';

/** How long the part of a sector is that is decoded, in bytes. */
export const bootSectorLength = 512;
const largestCluster = 2 << 20;
/** Records and index blocks may be as long as this, in bytes. */
const largestRecord = 65_536;

/** Where things are in NTFS; lengths in bytes. */
export interface NtfsLayout {
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  /** Without the copy of the boot sector. */
  readonly size: number;
  /** Where the master file table begins, and the copy of its first records, in clusters. */
  readonly tableCluster: number;
  readonly mirrorCluster: number;
  readonly recordSize: number;
  /** Sixteen digits, as blkid shows them. */
  readonly serialNumber: string;
}

/** Whether a device that starts with these bytes says that it holds NTFS. */
export function looksLikeNtfs(sector: Uint8Array): boolean {
  const isNamed = 'NTFS    '.split('').every((letter, index) => sector[3 + index] === letter.charCodeAt(0));
  return isNamed && sector[510] === 0x55 && sector[511] === 0xaa;
}

/** The layout that a boot sector describes, or what is wrong with it. */
export function decodeBootSector(sector: Uint8Array): NtfsLayout | string {
  if (!looksLikeNtfs(sector)) return 'no name of NTFS';
  const reader = new ByteReader(sector, 'NTFS boot sector');
  reader.seek(11);
  const sectorSize = reader.u16le();
  const clusterSize = sectorSize * sectorsPerCluster(reader.u8());
  if (![256, 512, 1024, 2048, 4096].includes(sectorSize)) return `sectors of ${sectorSize} bytes`;
  if (!isPowerOfTwo(clusterSize) || clusterSize > largestCluster) return `clusters of ${clusterSize} bytes`;
  if (sector.subarray(14, 21).some((byte) => byte !== 0)) return 'tables as FAT has them';
  reader.seek(40);
  const view = new DataView(sector.buffer, sector.byteOffset);
  // A count over 2^53 is turned down below.
  const sectorCount = Number(reader.opaque64le());
  const size = sectorCount * sectorSize;
  const [tableCluster, mirrorCluster] = [Number(reader.opaque64le()), Number(reader.opaque64le())];
  const recordSize = lengthOf(view.getInt8(64), clusterSize);
  const serialNumber = view.getBigUint64(72, true).toString(16).padStart(16, '0').toUpperCase();
  const clusterCount = Math.floor(size / clusterSize);
  const layout = { sectorSize, clusterSize, clusterCount, size, tableCluster, mirrorCluster, recordSize, serialNumber };
  return problemOf(layout) ?? layout;
}

function problemOf({ size, clusterCount, tableCluster, mirrorCluster, recordSize }: NtfsLayout): string | undefined {
  if (!Number.isSafeInteger(size) || clusterCount === 0) return `a length of ${size} bytes`;
  if (!isPowerOfTwo(recordSize) || recordSize < 512 || recordSize > largestRecord)
    return `records of ${recordSize} bytes`;
  if (tableCluster === 0 || tableCluster >= clusterCount) return `its master file table at cluster ${tableCluster}`;
  return mirrorCluster < clusterCount ? undefined : `the table's mirror at cluster ${mirrorCluster}`;
}

function sectorsPerCluster(byte: number): number {
  return byte <= 128 ? byte : 2 ** (256 - byte);
}

function lengthOf(clusters: number, clusterSize: number): number {
  return clusters > 0 ? clusters * clusterSize : 2 ** -clusters;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

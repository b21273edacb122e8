/*
 * The boot region of exFAT: 12 sectors, and again 12 as a backup. The first sector, little-endian:
 *
 *   byte   0–2    JumpBoot, eb 76 90                100–103 VolumeSerialNumber
 *          3–10   FileSystemName, "EXFAT   "        104–105 FileSystemRevision, minor and major
 *         11–63   MustBeZero                        106–107 VolumeFlags: 1 ActiveFat, 2 VolumeDirty,
 *         64–71   PartitionOffset, sectors                  4 MediaFailure, 8 ClearToZero
 *         72–79   VolumeLength, sectors                 108 BytesPerSectorShift, 9 to 12
 *         80–83   FatOffset, sectors                    109 SectorsPerClusterShift, together at most 25
 *         84–87   FatLength, sectors                    110 NumberOfFats, 2 in TexFAT
 *         88–91   ClusterHeapOffset, sectors            111 DriveSelect
 *         92–95   ClusterCount                          112 PercentInUse
 *         96–99   FirstClusterOfRootDirectory       510–511 55 aa
 *
 * Sectors 1 to 8 are boot code, 9 has parameters, 10 nothing; 11 repeats a sum of the 11 before it, without bytes 106,
 * 107 and 112.
 *
 * Source: Microsoft, exFAT file system specification, section 3.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';

/** How long the part of a sector is that is decoded, in bytes. */
export const bootSectorLength = 512;
/** How many sectors the sum is of. */
const summedSectors = 11;
const regionSectors = 12;
/** Cluster numbers from here on mean something else. */
const mostClusters = 0xffff_fff5;

/** Where things are in an exFAT file system; offsets and lengths in bytes. */
export interface ExfatLayout {
  readonly sectorSize: number;
  readonly clusterSize: number;
  /** The clusters are numbered from 2; this many there are. */
  readonly clusterCount: number;
  readonly size: number;
  /** Where the allocation table is that counts, and how long it is. */
  readonly tableOffset: number;
  readonly tableLength: number;
  /** Which of the two tables, and bitmaps, counts: 0 or 1. */
  readonly activeTable: number;
  /** Where cluster 2 begins. */
  readonly heapOffset: number;
  readonly rootCluster: number;
  readonly serialNumber: number;
  /** As people write it: `1.0`. */
  readonly revision: string;
  /** Whether it is mounted, was not unmounted, or its medium has failed. */
  readonly isSuspect: boolean;
}

/** Whether a device that starts with these bytes says that it holds exFAT. */
export function looksLikeExfat(sector: Uint8Array): boolean {
  const isNamed = 'EXFAT   '.split('').every((letter, index) => sector[3 + index] === letter.charCodeAt(0));
  return isNamed && sector.subarray(11, 64).every((byte) => byte === 0) && sector[510] === 0x55 && sector[511] === 0xaa;
}

/** The layout that a boot sector describes, or what is wrong with it. */
export function decodeBootSector(sector: Uint8Array): ExfatLayout | string {
  const reader = new ByteReader(sector, 'exFAT boot sector');
  if (!looksLikeExfat(sector)) return 'no name of exFAT';
  const { sectorShift, clusterShift, tableCount } = shiftsOf(reader);
  if (sectorShift < 9 || sectorShift > 12) return `sectors of 2^${sectorShift} bytes`;
  if (sectorShift + clusterShift > 25) return `clusters of 2^${sectorShift + clusterShift} bytes`;
  if (tableCount !== 1 && tableCount !== 2) return `${tableCount} allocation tables`;
  const layout = layoutOf(reader, 2 ** sectorShift, 2 ** (sectorShift + clusterShift), tableCount);
  return problemOf(layout) ?? layout;
}

/** Whether the 12 sectors of a region fit their sum; `sectorSize` in bytes. */
export function regionFitsSum(region: Uint8Array, sectorSize: number): boolean {
  const summed = region.subarray(0, summedSectors * sectorSize);
  let sum = 0;
  for (let index = 0; index < summed.length; index++) {
    if (index === 106 || index === 107 || index === 112) continue;
    sum = (((sum & 1) << 31) | (sum >>> 1)) + summed[index]!;
  }
  const stored = new DataView(region.buffer, region.byteOffset + summed.length, sectorSize);
  for (let place = 0; place < sectorSize; place += 4) if (stored.getUint32(place, true) !== sum >>> 0) return false;
  return true;
}

/** How long a region is, in bytes. */
export function regionLength(sectorSize: number): number {
  return regionSectors * sectorSize;
}

function shiftsOf(reader: ByteReader): { sectorShift: number; clusterShift: number; tableCount: number } {
  reader.seek(108);
  return { sectorShift: reader.u8(), clusterShift: reader.u8(), tableCount: reader.u8() };
}

function layoutOf(reader: ByteReader, sectorSize: number, clusterSize: number, tableCount: number): ExfatLayout {
  reader.seek(72);
  const sectorCount = reader.u64le('volume length');
  const [fatOffset, fatLength, heapOffset] = [reader.u32le(), reader.u32le(), reader.u32le()];
  const [clusterCount, rootCluster, serialNumber] = [reader.u32le(), reader.u32le(), reader.u32le()];
  const [minor, major, flags] = [reader.u8(), reader.u8(), reader.u16le()];
  const activeTable = tableCount === 2 ? flags & 1 : 0;
  return {
    ...{ sectorSize, clusterSize, clusterCount, activeTable, rootCluster, serialNumber },
    size: sectorCount * sectorSize,
    tableOffset: (fatOffset + activeTable * fatLength) * sectorSize,
    tableLength: fatLength * sectorSize,
    heapOffset: heapOffset * sectorSize,
    revision: `${major}.${minor}`,
    isSuspect: (flags & 6) !== 0,
  };
}

function problemOf(layout: ExfatLayout): string | undefined {
  const { size, clusterCount, clusterSize, tableOffset, tableLength, heapOffset, rootCluster } = layout;
  if (!Number.isSafeInteger(size)) return 'a length over 2^53 bytes';
  if (clusterCount === 0 || clusterCount > mostClusters) return `${clusterCount} clusters`;
  if (tableOffset < regionLength(layout.sectorSize) * 2) return 'its allocation table in the boot regions';
  if (tableLength < (clusterCount + 2) * 4) return `an allocation table that is too short for ${clusterCount} clusters`;
  if (tableOffset + tableLength > heapOffset) return 'its allocation table among the clusters';
  if (heapOffset + clusterCount * clusterSize > size) return `${clusterCount} clusters, and room for less`;
  if (rootCluster < 2 || rootCluster >= clusterCount + 2) return `its root directory at cluster ${rootCluster}`;
  return undefined;
}

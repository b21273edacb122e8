/*
 * The first sector of a FAT file system, little-endian:
 *
 *   byte   0–2    BS_jmpBoot, eb xx 90 or e9 xx xx   (FAT12, FAT16)        (FAT32)
 *         11–12   BPB_BytsPerSec                     36  BS_DrvNum         36–39 BPB_FATSz32
 *            13   BPB_SecPerClus                     37  BS_Reserved1      40–41 BPB_ExtFlags
 *         14–15   BPB_RsvdSecCnt                     38  BS_BootSig, 0x29  42–43 BPB_FSVer
 *            16   BPB_NumFATs                     39–42  BS_VolID          44–47 BPB_RootClus
 *         17–18   BPB_RootEntCnt, entries         43–53  BS_VolLab         48–49 BPB_FSInfo
 *         19–20   BPB_TotSec16                                             50–51 BPB_BkBootSec
 *            21   BPB_Media                                                   65 BS_Reserved1
 *         22–23   BPB_FATSz16, sectors                                        66 BS_BootSig
 *         28–31   BPB_HiddSec                                              67–70 BS_VolID
 *         32–35   BPB_TotSec32                                             71–81 BS_VolLab
 *        510–511  55 aa
 *
 * How many clusters there are decides which of the three it is, and nothing else does. Bit 0 of BS_Reserved1 is set
 * while Linux or Windows have it mounted.
 *
 * Source: Microsoft, FAT32 File System Specification 1.03, "Boot Sector and BPB" and "FAT Type Determination".
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { shortText } from './directory-entry.ts';

/** How long a boot sector is, in bytes. */
export const bootSectorLength = 512;

/** Where things are in a FAT file system; offsets and lengths in bytes. */
export interface FatLayout {
  readonly width: 12 | 16 | 32;
  readonly clusterSize: number;
  /** The clusters are numbered from 2; this many there are. */
  readonly clusterCount: number;
  readonly size: number;
  /** Where the allocation table is that counts, and how long it is. */
  readonly tableOffset: number;
  readonly tableLength: number;
  /** Where cluster 2 begins. */
  readonly dataOffset: number;
  /** The root directory's place: a range before the clusters, or its first cluster. */
  readonly root: { readonly offset: number; readonly length: number } | { readonly cluster: number };
  /** BS_VolID; undefined where the sector says that it has none. */
  readonly volumeId: number | undefined;
  /** BS_VolLab; most programs keep the label in the root directory instead. */
  readonly label: string | undefined;
  readonly isInUse: boolean;
}

interface Fields {
  readonly sectorSize: number;
  readonly sectorsPerCluster: number;
  readonly reservedSectors: number;
  readonly tableCount: number;
  readonly rootEntries: number;
  readonly totalSectors: number;
  readonly tableSectors: number;
  readonly isWide: boolean;
}

/** Whether a device that starts with these 512 bytes holds FAT, as far as they tell. */
export function looksLikeFat(sector: Uint8Array): boolean {
  const jump = sector[0] === 0xeb || sector[0] === 0xe9;
  return jump && sector[510] === 0x55 && sector[511] === 0xaa && problemOf(fieldsOf(sector), sector[21]!) === undefined;
}

/** @throws VarveError `CORRUPT`; `name` is the disk's */
export function decodeBootSector(sector: Uint8Array, name: string): FatLayout {
  const fields = fieldsOf(sector);
  const problem = problemOf(fields, sector[21]!) ?? rootProblem(fields, sector);
  if (problem !== undefined) throw new VarveError('CORRUPT', `cannot read ${name}: the FAT boot sector has ${problem}`);
  return layoutOf(fields, sector);
}

function fieldsOf(sector: Uint8Array): Fields {
  const reader = new ByteReader(sector, 'FAT boot sector');
  reader.seek(11);
  const sectorSize = reader.u16le();
  const sectorsPerCluster = reader.u8();
  const reservedSectors = reader.u16le();
  const tableCount = reader.u8();
  const rootEntries = reader.u16le();
  const totalSectors16 = reader.u16le();
  reader.skip(1);
  const tableSectors16 = reader.u16le();
  reader.seek(32);
  const totalSectors = totalSectors16 || reader.u32le();
  reader.seek(36);
  return {
    ...{ sectorSize, sectorsPerCluster, reservedSectors, tableCount, rootEntries, totalSectors },
    tableSectors: tableSectors16 || reader.u32le(),
    isWide: tableSectors16 === 0,
  };
}

function problemOf(fields: Fields, media: number): string | undefined {
  const { sectorSize, sectorsPerCluster, reservedSectors, tableCount, totalSectors, tableSectors } = fields;
  if (![512, 1024, 2048, 4096].includes(sectorSize)) return `sectors of ${sectorSize} bytes`;
  if (sectorsPerCluster === 0 || (sectorsPerCluster & (sectorsPerCluster - 1)) !== 0) {
    return `${sectorsPerCluster} sectors a cluster, which is no power of two`;
  }
  if (reservedSectors === 0) return 'no reserved sectors, though it is one itself';
  if (tableCount === 0 || tableCount > 4) return `${tableCount} allocation tables`;
  if (tableSectors === 0) return 'allocation tables without length';
  if (media !== 0xf0 && media < 0xf8) return `a media byte of ${media}`;
  return clusterCountOf(fields) > 0 ? undefined : `room for ${totalSectors} sectors, and its tables need more`;
}

/** What only whoever opens it has to care for. */
function rootProblem(fields: Fields, sector: Uint8Array): string | undefined {
  const { width, clusterCount } = sizesOf(fields);
  if (width !== 32) return fields.rootEntries === 0 ? 'a root directory without entries' : undefined;
  const cluster = new DataView(sector.buffer, sector.byteOffset).getUint32(44, true);
  return cluster >= 2 && cluster < clusterCount + 2 ? undefined : `its root directory at cluster ${cluster}`;
}

function rootSectorsOf({ rootEntries, sectorSize }: Fields): number {
  return Math.ceil((rootEntries * 32) / sectorSize);
}

function clusterCountOf(fields: Fields): number {
  const { reservedSectors, tableCount, tableSectors, totalSectors, sectorsPerCluster } = fields;
  const before = reservedSectors + tableCount * tableSectors + rootSectorsOf(fields);
  return Math.floor((totalSectors - before) / sectorsPerCluster);
}

/** The width that the number of clusters means, and how many of them the table has entries for. */
function sizesOf(fields: Fields): { width: 12 | 16 | 32; clusterCount: number } {
  const count = clusterCountOf(fields);
  // Linux and mkfs.fat take any count for FAT32 where BPB_FATSz16 is 0: small FAT32 volumes are common.
  const width = fields.isWide ? 32 : count < 4085 ? 12 : 16;
  const entries = Math.floor((fields.tableSectors * fields.sectorSize * 8) / width) - 2;
  return { width, clusterCount: Math.min(count, entries) };
}

function layoutOf(fields: Fields, sector: Uint8Array): FatLayout {
  const { sectorSize, reservedSectors, tableCount, tableSectors, rootEntries, totalSectors } = fields;
  const { width, clusterCount } = sizesOf(fields);
  const view = new DataView(sector.buffer, sector.byteOffset);
  const extended = width === 32 ? 64 : 36;
  const flags = width === 32 ? view.getUint16(40, true) : 0;
  // Bit 7: the tables are not mirrored, and the four lowest bits say which one counts.
  const activeTable = (flags & 0x80) !== 0 && (flags & 0xf) < tableCount ? flags & 0xf : 0;
  const rootOffset = (reservedSectors + tableCount * tableSectors) * sectorSize;
  const hasLabel = sector[extended + 2] === 0x29;
  return {
    ...{ width, clusterCount, clusterSize: fields.sectorsPerCluster * sectorSize, size: totalSectors * sectorSize },
    tableOffset: (reservedSectors + activeTable * tableSectors) * sectorSize,
    tableLength: tableSectors * sectorSize,
    dataOffset: rootOffset + rootSectorsOf(fields) * sectorSize,
    root: width === 32 ? { cluster: view.getUint32(44, true) } : { offset: rootOffset, length: rootEntries * 32 },
    volumeId: hasLabel || sector[extended + 2] === 0x28 ? view.getUint32(extended + 3, true) : undefined,
    label: hasLabel ? shortText(sector.subarray(extended + 7, extended + 18)) : undefined,
    isInUse: (sector[extended + 1]! & 1) !== 0,
  };
}

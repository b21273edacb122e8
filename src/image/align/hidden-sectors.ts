/*
 * File systems of DOS' and Windows' kind hold where their partition starts, in sectors, and their boot code counts on it:
 *
 *                    where it is                                where its copy is
 *   FAT, NTFS        u32le at 28 of the first sector            FAT32: at the sector that u16le at 50 counts;
 *                    (u16le at 11: bytes in a sector)           NTFS: behind the u64le at 40 sectors, or in their middle
 *   exFAT            u64le at 64 (u8 at 108: the power of 2     twelve sectors further on; the last of the twelve has
 *                    that is the bytes in a sector)             the sum of the others
 *
 * Source: Microsoft, FAT32 File System Specification 1.03, "Boot Sector and BPB"; exFAT File System Specification, sections
 * 3.1 and 3.4; the layout of NTFS' boot sector as the Linux kernel's documentation of ntfs3 refers to it.
 */
import type { PlacedPartition } from '../../partition/placed-partition.ts';
import type { EditedSectors } from './edited-sectors.ts';

const sectorLength = 512;
const exfatSectors = 12;

/** Has the file system of a partition know where that starts now, if it knew where it started. */
export async function editHiddenSectors(sectors: EditedSectors, placed: PlacedPartition): Promise<void> {
  if (placed.length < sectorLength) return;
  const boot = await sectors.read(placed.offset);
  if (nameAt(boot, 3, 'EXFAT   ')) await editExfat(sectors, placed, boot);
  else if (isNtfs(boot) || nameAt(boot, 54, 'FAT') || nameAt(boot, 82, 'FAT32')) {
    await editCopies(sectors, placed, boot);
  }
}

/** Whether a partition's first sector is that of an NTFS. */
export function isNtfs(boot: Uint8Array): boolean {
  return nameAt(boot, 3, 'NTFS    ');
}

function nameAt(sector: Uint8Array, place: number, name: string): boolean {
  return Buffer.from(sector.subarray(place, place + name.length)).toString('latin1') === name;
}

async function editCopies(sectors: EditedSectors, placed: PlacedPartition, boot: Uint8Array): Promise<void> {
  const view = viewOf(boot);
  const size = view.getUint16(11, true);
  if (!isSectorSize(size)) return;
  const total = Number(view.getBigUint64(40, true));
  const copies = isNtfs(boot) ? [total, Math.floor(total / 2)] : [view.getUint16(50, true)];
  const hasCopies = isNtfs(boot) || nameAt(boot, 82, 'FAT32');
  for (const index of new Set([0, ...(hasCopies ? copies : [])])) {
    const place = index * size;
    if (place + sectorLength > placed.length) continue;
    const copy = await sectors.read(placed.offset + place);
    const isCopy = copy[510] === 0x55 && copy[511] === 0xaa && nameAt(copy, 3, textAt(boot, 3, 8));
    if (!isCopy || viewOf(copy).getUint32(28, true) !== placed.partition.offset / size) continue;
    viewOf(copy).setUint32(28, placed.offset / size, true);
    sectors.write({ offset: placed.offset + place, bytes: copy });
  }
}

function textAt(sector: Uint8Array, place: number, length: number): string {
  return Buffer.from(sector.subarray(place, place + length)).toString('latin1');
}

async function editExfat(sectors: EditedSectors, placed: PlacedPartition, boot: Uint8Array): Promise<void> {
  const size = 2 ** (boot[108] ?? 0);
  const regionLength = exfatSectors * size;
  if (!isSectorSize(size) || 2 * regionLength > placed.length) return;
  for (const offset of [placed.offset, placed.offset + regionLength]) {
    const region = await sectors.read(offset, regionLength);
    const view = viewOf(region);
    if (view.getBigUint64(64, true) !== BigInt(placed.partition.offset / size)) continue;
    view.setBigUint64(64, BigInt(placed.offset / size), true);
    const sum = exfatSum(region.subarray(0, regionLength - size));
    for (let place = regionLength - size; place < regionLength; place += 4) view.setUint32(place, sum, true);
    sectors.write({ offset, bytes: region });
  }
}

/** Of all bytes but those that change while it is in use: VolumeFlags and PercentInUse. */
function exfatSum(bytes: Uint8Array): number {
  let sum = 0;
  for (const [place, byte] of bytes.entries()) {
    if (place === 106 || place === 107 || place === 112) continue;
    sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  }
  return sum;
}

function isSectorSize(size: number): boolean {
  return [512, 1024, 2048, 4096].includes(size);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

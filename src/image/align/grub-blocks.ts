/*
 * GRUB's boot sector loads one sector, which loads the rest; both name sectors of the disk by their numbers.
 *
 *                              GRUB 2                                    GRUB Legacy
 *   boot sector                u64le at 92: the one sector               u32le at 68
 *   that sector, from its      12 bytes each at 500, 488, …:             8 bytes each at 504, 496, …:
 *   end downwards              u64le first, u16le count, u16le segment   u32le first, u16le count, u16le segment
 *
 * A list ends with a count of 0. The first segment is 0x820 for what follows the one sector at 0x8000, 0x220 for Legacy's
 * stage 1.5.
 *
 * Source: GNU GRUB manual 2.06, sections "BIOS installation" and "Images"; GNU GRUB Manual 0.97, appendix D; what
 * grub-bios-setup writes.
 */
import { ByteWriter } from '../../bytes/byte-writer.ts';
import type { EditedSectors } from './edited-sectors.ts';

const sectorLength = 512;

interface Generation {
  /** Of the first sector's number in the boot sector, and its length, in bytes. */
  readonly place: number;
  readonly numberLength: 4 | 8;
  /** Of an entry of the list. */
  readonly entryLength: number;
  readonly segments: readonly number[];
}

const generations: readonly Generation[] = [
  { place: 92, numberLength: 8, entryLength: 12, segments: [0x820] },
  { place: 68, numberLength: 4, entryLength: 8, segments: [0x820, 0x220] },
];

/** Below this there is code. */
const lowestEntry = 256;

/** Where what was at a place of the disk is now, in bytes; undefined where it is nowhere. */
export type Translate = (offset: number) => number | undefined;

/**
 * Has a boot sector of GRUB find the rest of it where that is now.
 *
 * @returns whether it can: false for one that is not understood; undefined for a sector that is not GRUB's
 */
export async function editGrubBlocks(
  sectors: EditedSectors,
  offset: number,
  translate: Translate,
): Promise<boolean | undefined> {
  const boot = await sectors.read(offset);
  if (!Buffer.from(boot).includes('GRUB \0Geom\0')) return undefined;
  for (const generation of generations) {
    const before = numberAt(boot, generation.place, generation.numberLength);
    const place = placeOf(sectors, before, translate);
    if (place === undefined) continue;
    const first = await sectors.read(place);
    if (!editList(first, generation, translate)) continue;
    putNumber(boot, generation.place, generation.numberLength, place / sectorLength);
    sectors.write({ offset, bytes: boot });
    sectors.write({ offset: place, bytes: first });
    return true;
  }
  return false;
}

function placeOf(sectors: EditedSectors, sector: number, translate: Translate): number | undefined {
  const place = sector > 0 && sector < 2 ** 43 ? translate(sector * sectorLength) : undefined;
  return place !== undefined && place + sectorLength <= sectors.size ? place : undefined;
}

/** Whether it is the list of a sector that loads the rest; it names where that is now, then. */
function editList(
  first: Uint8Array,
  { entryLength, numberLength, segments }: Generation,
  translate: Translate,
): boolean {
  if (!/loading/i.test(Buffer.from(first).toString('latin1'))) return false;
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  for (let place = sectorLength - entryLength; place >= lowestEntry; place -= entryLength) {
    const isLast = view.getUint16(place + numberLength, true) === 0;
    if (isLast) return place < sectorLength - entryLength;
    const isFirst = place === sectorLength - entryLength;
    if (isFirst && !segments.includes(view.getUint16(place + numberLength + 2, true))) return false;
    const sector = numberAt(first, place, numberLength);
    const target = sector < 2 ** 43 ? translate(sector * sectorLength) : undefined;
    if (target === undefined) return false;
    putNumber(first, place, numberLength, target / sectorLength);
  }
  return false;
}

function numberAt(bytes: Uint8Array, place: number, length: 4 | 8): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return length === 4 ? view.getUint32(place, true) : Number(view.getBigUint64(place, true));
}

function putNumber(bytes: Uint8Array, place: number, length: 4 | 8, value: number): void {
  const writer = new ByteWriter(bytes);
  writer.seek(place);
  if (length === 4) writer.u32le(value);
  else writer.u64le(value);
}

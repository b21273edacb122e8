/*
 * Volume descriptors stand in sectors of 2048 bytes from the 17th on, until one of type 255. Numbers are there twice, first
 * little-endian.
 *
 *   byte    0  type: 1 primary, 2 supplementary, 255 the last     80  volume space size, blocks (32 bit)
 *         1–5  "CD001"                                            88  escape sequences, 32 bytes
 *        8–39  system identifier                                 128  logical block size (16 bit)
 *       40–71  volume identifier                                 156  directory record of the root, 34 bytes
 *                                                                813  when it was made, 830 when changed: 16 digits
 *
 * A supplementary descriptor with the escape sequences %/@, %/C or %/E is Joliet's: names are UTF-16, big-endian.
 *
 * Source: ECMA-119, sections 8.4 and 8.5; Microsoft, Joliet Specification, "SVD Escape Sequences Field".
 */
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';

/** How long a sector is, in bytes, whatever the logical blocks are. */
const sectorLength = 2048;
const firstSector = 16;
const mostDescriptors = 64;
const types = { primary: 1, supplementary: 2, last: 255 } as const;
const rootRecord = 156;
const recordLength = 34;

/** A volume descriptor; sizes in bytes. */
export interface VolumeDescriptor {
  readonly isJoliet: boolean;
  readonly blockSize: number;
  /** How far the volume reaches. */
  readonly size: number;
  readonly label: string;
  /** As blkid shows it: the digits of when it was changed, or made. */
  readonly date: string | undefined;
  /** The directory record of the root. */
  readonly root: Uint8Array;
}

/** The descriptors of a device that say where a tree is, the primary one first; none where it is no ISO 9660. */
export async function readVolumeDescriptors(device: BlockDevice): Promise<VolumeDescriptor[]> {
  const found: VolumeDescriptor[] = [];
  for (let index = 0; index < mostDescriptors; index++) {
    const offset = (firstSector + index) * sectorLength;
    if (offset + sectorLength > device.size) break;
    const sector = new Uint8Array(sectorLength);
    await device.read(sector, offset);
    if (latin1(sector.subarray(1, 6)) !== 'CD001' || sector[0] === types.last) break;
    const isJoliet = sector[0] === types.supplementary && isJolietEscape(sector);
    const isPrimary = sector[0] === types.primary && found.length === 0;
    if (isPrimary || (isJoliet && found.length > 0)) found.push(decode(sector, isJoliet));
  }
  return found;
}

/** What cannot be in a descriptor; `name` is the disk's. @throws VarveError `CORRUPT` */
export function checkDescriptor({ blockSize, size }: VolumeDescriptor, name: string): void {
  const isBlock = blockSize === 512 || blockSize === 1024 || blockSize === 2048;
  if (isBlock && size > 0) return;
  const why = isBlock ? 'no blocks' : `blocks of ${blockSize} bytes`;
  throw new VarveError('CORRUPT', `cannot read ${name}: the ISO 9660 volume descriptor has ${why}`);
}

function decode(sector: Uint8Array, isJoliet: boolean): VolumeDescriptor {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.length);
  const blockSize = view.getUint16(128, true);
  const identifier = sector.subarray(40, 72);
  return {
    ...{ isJoliet, blockSize, size: view.getUint32(80, true) * blockSize },
    label: (isJoliet ? new TextDecoder('utf-16be').decode(identifier) : latin1(identifier)).replace(/[\0 ]*$/, ''),
    date: dateOf(sector.subarray(830, 846)) ?? dateOf(sector.subarray(813, 829)),
    root: sector.subarray(rootRecord, rootRecord + recordLength),
  };
}

function isJolietEscape(sector: Uint8Array): boolean {
  return sector[88] === 0x25 && sector[89] === 0x2f && [0x40, 0x43, 0x45].includes(sector[90]!);
}

function dateOf(digits: Uint8Array): string | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(latin1(digits));
  return parts === null || /^0*$/.test(parts[0]) ? undefined : parts.slice(1).join('-');
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

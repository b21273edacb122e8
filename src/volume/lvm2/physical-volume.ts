/*
 * What makes a device a physical volume. In one of its first four sectors of 512 bytes, usually the second, stands a
 * label; numbers are little-endian:
 *
 *   byte  0–7   "LABELONE"                        20–23  where in the sector the header starts, 32
 *         8–15  the sector's own number           24–31  "LVM2 001"
 *        16–19  sum of bytes 20 to 511
 *
 * and the header of the physical volume:
 *
 *   byte  0–31  identity, 32 letters              40–…   areas of data, each an offset and a length of 8 bytes, up to
 *        32–39  length of the device                     one with the offset 0; then areas of metadata, likewise
 *
 * Source: LVM2, lib/format_text/layout.h and lib/label/label.h.
 */
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { lvmChecksum } from './checksum.ts';
import { type FoundMetadata, readMetadataArea } from './metadata-area.ts';

/** A device that is, or is to be, a part of a volume group. */
export interface PhysicalVolume {
  /** What messages call it: `/dev/sda2`. */
  readonly name: string;
  readonly device: BlockDevice;
  /** Its identity, with dashes. */
  readonly id: string;
  /** What its areas of metadata hold; none where it has no such area, or is in no group yet. */
  readonly metadata: readonly FoundMetadata[];
  /** Why areas of metadata on it are not used. */
  readonly problems: readonly VarveError[];
}

const sectorLength = 512;
const labelSectors = 4;
/** LVM2 makes two at most. */
const mostAreas = 16;

/** @throws VarveError `CORRUPT` for a label that is damaged, or a device that has none */
export async function readPhysicalVolume(device: BlockDevice, name: string): Promise<PhysicalVolume> {
  const label = await findLabel(device);
  const why = label === undefined ? 'it has no label of LVM2' : label.damage;
  if (label === undefined || why !== undefined) throw new VarveError('CORRUPT', `cannot read ${name}: ${why}`);
  const reader = new ByteReader(label.sector, `${name}: LVM2's label`);
  reader.seek(label.offset);
  const id = dashed(reader.bytes(32));
  reader.skip(8);
  areasIn(reader);
  const metadata: FoundMetadata[] = [];
  const problems: VarveError[] = [];
  for (const area of areasIn(reader)) {
    try {
      const found = await readMetadataArea(device, area, name);
      if (found !== undefined) metadata.push(found);
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      problems.push(error);
    }
  }
  return { name, device, id, metadata, problems };
}

interface Label {
  readonly sector: Uint8Array;
  /** Where in the sector the header is. */
  readonly offset: number;
  /** What is wrong with it. */
  readonly damage: string | undefined;
}

async function findLabel(device: BlockDevice): Promise<Label | undefined> {
  const head = new Uint8Array(Math.min(labelSectors * sectorLength, device.size));
  if (head.length > 0) await device.read(head, 0);
  for (let index = 0; (index + 1) * sectorLength <= head.length; index += 1) {
    const sector = head.subarray(index * sectorLength, (index + 1) * sectorLength);
    const text = new TextDecoder('latin1').decode(sector.subarray(0, 32));
    if (!text.startsWith('LABELONE') || text.slice(24) !== 'LVM2 001') continue;
    const view = new DataView(sector.buffer, sector.byteOffset, sectorLength);
    const offset = view.getUint32(20, true);
    return { sector, offset: Math.min(offset, sectorLength), damage: damageOf(view, sector, index) };
  }
  return undefined;
}

function damageOf(view: DataView, sector: Uint8Array, index: number): string | undefined {
  const where = `LVM2's label at byte ${index * sectorLength}`;
  if (view.getUint32(16, true) !== lvmChecksum(sector.subarray(20))) return `the checksum of ${where} is wrong`;
  if (view.getBigUint64(8, true) !== BigInt(index)) return `${where} belongs to another sector`;
  return undefined;
}

function areasIn(reader: ByteReader): { readonly offset: number; readonly length: number }[] {
  const areas: { readonly offset: number; readonly length: number }[] = [];
  for (;;) {
    const [offset, length] = [reader.u64le('offset of an area'), reader.u64le('length of an area')];
    if (offset === 0 || areas.length === mostAreas) return areas;
    areas.push({ offset, length });
  }
}

/** An identity as LVM2 writes it in texts: with dashes between groups of letters. */
function dashed(bytes: Uint8Array): string {
  const letters = new TextDecoder('latin1').decode(bytes);
  return letters.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/s, '$1-$2-$3-$4-$5-$6-$7');
}

/*
 * What makes a device a member of an array of Linux's md driver.
 *
 * Version 1, little-endian, at one of three places: 1.1 at the start of the device, 1.2 at byte 4096, 1.0 in the last 8 KiB,
 * at a multiple of 4 KiB. Sectors have 512 bytes:
 *
 *   byte   0–3   fc 4e 2b a9                        92–95   raid_disks, count of places
 *          4–7   major_version, 1                  128–135  data_offset, in sectors
 *          8–11  feature_map                       136–143  data_size, in sectors
 *         16–31  set_uuid                          144–151  super_offset, where this stands, in sectors
 *         32–63  set_name: `host:name`             160–163  dev_number, which member this is
 *         72–75  level, −1 linear                  200–207  events
 *         76–79  layout                            216–219  sb_csum
 *         80–87  size of a member, in sectors      220–223  max_dev
 *         88–91  chunksize, in sectors             256–…    dev_roles, two bytes for each member: its place, 0xfffd
 *                                                           journal, 0xfffe faulty, 0xffff spare
 *
 * Source: Linux, include/uapi/linux/raid/md_p.h (struct mdp_superblock_1); md(4).
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { decodeUuid } from '../../bytes/guid.ts';
import { foldedSum, readOldSuperblock } from './old-superblock.ts';

/** What a member's superblock says; lengths in bytes. */
export interface MdSuperblock {
  readonly version: '0.90' | '1.0' | '1.1' | '1.2';
  readonly uuid: string;
  /** `host:name`; of version 1 only. */
  readonly name: string | undefined;
  /** The number that its device had: 0 of `/dev/md0`; of version 0.90 only. */
  readonly minor: number | undefined;
  /** −1 for linear. */
  readonly level: number;
  readonly layout: number;
  /** How much of each member is used; undefined where each has its own length. */
  readonly usedLength: number | undefined;
  readonly chunkLength: number;
  readonly diskCount: number;
  /** Where the array's data starts on this member, and how much there is room for. */
  readonly dataOffset: number;
  readonly dataLength: number;
  /** Counts up with each change of its state. */
  readonly events: number;
  /** Its place in the array; undefined for a spare or faulty one. */
  readonly role: number | undefined;
  /** Whether its content is still being made, or moved. */
  readonly isRebuilding: boolean;
}

const sectorLength = 512;
const headLength = 256;
const magic = 0xa92b4efc;
/** As many as fit into the 4096 bytes of a superblock. */
const mostDevices = (4096 - headLength) / 2;
const firstSpecialRole = 0xfffd;
/** This member's content is not complete; the array is changing its shape. */
const recoveryOffset = 2;
const reshapeActive = 4;

/**
 * The superblock on a device that is or was a member of an array; undefined for one without, and where its checksum is
 * wrong: then something else has taken its place.
 */
export async function readMdSuperblock(device: BlockDevice): Promise<MdSuperblock | undefined> {
  const size = Math.floor(device.size / sectorLength) * sectorLength;
  const places = [
    ['1.1', 0],
    ['1.2', 4096],
    ['1.0', Math.floor((size - 8192) / 4096) * 4096],
  ] as const;
  for (const [version, offset] of places) {
    const found = await readNewSuperblock(device, offset, version);
    if (found !== undefined) return found;
  }
  return await readOldSuperblock(device);
}

async function readNewSuperblock(
  device: BlockDevice,
  offset: number,
  version: MdSuperblock['version'],
): Promise<MdSuperblock | undefined> {
  const length = Math.min(4096, device.size - offset);
  if (offset < 0 || length < headLength) return undefined;
  const bytes = new Uint8Array(length);
  await device.read(bytes, offset);
  const view = new DataView(bytes.buffer);
  const deviceCount = view.getUint32(220, true);
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== 1 || deviceCount > mostDevices) return undefined;
  const used = headLength + deviceCount * 2;
  if (used > length || view.getUint32(216, true) !== sumOf(view, used)) return undefined;
  if (view.getBigUint64(144, true) * BigInt(sectorLength) !== BigInt(offset)) return undefined;
  return decode(bytes, deviceCount, version);
}

function decode(bytes: Uint8Array, deviceCount: number, version: MdSuperblock['version']): MdSuperblock | undefined {
  const view = new DataView(bytes.buffer);
  const bytesAt = (place: number): number => Number(view.getBigUint64(place, true)) * sectorLength;
  const [usedLength, dataOffset, dataLength] = [bytesAt(80), bytesAt(128), bytesAt(136)];
  if (![usedLength, dataOffset, dataLength].every(Number.isSafeInteger)) return undefined;
  const reader = new ByteReader(bytes, 'md superblock');
  reader.seek(16);
  const uuid = decodeUuid(reader.bytes(16));
  const name = new TextDecoder().decode(reader.bytes(32)).replace(/\0.*$/s, '');
  const member = view.getUint32(160, true);
  const role = member < deviceCount ? view.getUint16(headLength + member * 2, true) : firstSpecialRole;
  const features = view.getUint32(8, true);
  return {
    ...{ version, uuid, name: name === '' ? undefined : name, minor: undefined },
    ...{ level: view.getInt32(72, true), layout: view.getUint32(76, true) },
    ...{ usedLength: usedLength === 0 ? undefined : usedLength, chunkLength: view.getUint32(88, true) * sectorLength },
    ...{ diskCount: view.getUint32(92, true), dataOffset, dataLength, events: Number(view.getBigUint64(200, true)) },
    role: role < firstSpecialRole ? role : undefined,
    isRebuilding: (features & (recoveryOffset | reshapeActive)) !== 0,
  };
}

/** All words but the sum itself, and half a word at the end, added up; what goes over 32 bits is added once more. */
function sumOf(view: DataView, length: number): number {
  let sum = 0;
  for (let place = 0; place + 4 <= length; place += 4) if (place !== 216) sum += view.getUint32(place, true);
  if (length % 4 === 2) sum += view.getUint16(length - 2, true);
  return foldedSum(sum);
}

/*
 * The superblock of an ext file system, 1024 bytes from its start, has at
 *
 *   byte  52  how often it was mounted since its last check (16 bit)
 *         54  after how many mounts one is due (16 bit, signed); 0 and less for never
 *         64  when the last check was, in seconds since 1970 (32 bit)
 *         68  after how many seconds one is due (32 bit); 0 for never
 *
 * Source: Linux, Documentation/filesystems/ext4/super.rst.
 */
import type { BlockDevice } from '../block/block-device.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { findGuestVolumes, type VolumeTreeOptions } from './volume-tree.ts';

const superblockOffset = 1024;
const neverFrom = 0x8000;

/** When an ext file system wants to be checked. */
export interface CheckSchedule {
  /** How often it was mounted since its last check. */
  readonly mounts: number;
  /** After how many mounts one is due; undefined for never. */
  readonly mostMounts: number | undefined;
  /** When it was checked last, in milliseconds since 1970. */
  readonly lastCheck: number;
  /** After how many milliseconds one is due; undefined for never. */
  readonly interval: number | undefined;
}

/** An ext file system of a disk, and when it wants to be checked. */
export interface ScheduledVolume extends CheckSchedule {
  /** As the guest would see it: `/dev/sda1`. */
  readonly name: string;
  /** Where on the disk it starts, in bytes; undefined for what is in a group, an array or encrypted. */
  readonly offset: number | undefined;
}

/** The ext file systems of a disk. @throws VarveError as `findGuestVolumes` */
export async function scheduledVolumes(device: BlockDevice, options: VolumeTreeOptions): Promise<ScheduledVolume[]> {
  const found: ScheduledVolume[] = [];
  for (const { device: part, identity, name, offset } of await findGuestVolumes(device, options)) {
    if (part === undefined || !/^ext[234]$/.test(identity?.type ?? '')) continue;
    found.push({ name, offset, ...(await readSchedule(part)) });
  }
  return found;
}

async function readSchedule(device: BlockDevice): Promise<CheckSchedule> {
  const bytes = new Uint8Array(72);
  await device.read(bytes, superblockOffset);
  const reader = new ByteReader(bytes, 'superblock');
  reader.seek(52);
  const [mounts, most] = [reader.u16le(), reader.u16le()];
  reader.seek(64);
  const [lastCheck, interval] = [reader.u32le() * 1000, reader.u32le() * 1000];
  return {
    ...{ mounts, lastCheck, interval: interval === 0 ? undefined : interval },
    mostMounts: most === 0 || most >= neverFrom ? undefined : most,
  };
}

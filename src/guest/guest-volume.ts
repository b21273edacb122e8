import type { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystem, FileSystemIdentity } from '../filesystem/file-system.ts';
import { findFileSystem } from '../filesystem/file-systems.ts';
import { identifyForeign } from '../filesystem/foreign/identify-foreign.ts';
import { findSwapSpace } from '../filesystem/swap/swap-space.ts';
import type { Volume } from '../image/disk-volumes.ts';

/** Bytes of a volume that stand one after the other on the disk; `place` is undefined for zeros that stand nowhere. */
export interface VolumePlace {
  readonly start: number;
  readonly length: number;
  readonly place: number | undefined;
}

/** What finds the places of a range of a volume; in bytes. */
export type PlacesOnDisk = (offset: number, length: number) => Iterable<VolumePlace>;

/** A volume of a guest's disk: a partition, or what is made of others. */
export interface GuestVolume {
  /** As the guest would see it: `/dev/sda1`, `/dev/vg/root`, `/dev/md0`. */
  readonly name: string;
  /** What else the guest calls it: `/dev/mapper/vg-root`. */
  readonly aliases: readonly string[];
  /** In bytes. */
  readonly length: number;
  /** Where on the disk it starts, in bytes; undefined for what is made of others. */
  readonly offset: number | undefined;
  /**
   * Where on the disk the bytes of a range of it are, in order and without gaps, decrypted or not; undefined where nobody
   * knows without asking more, as of thin volumes.
   */
  readonly placesOnDisk: PlacesOnDisk | undefined;
  /** Whether the disk has its bytes encrypted. */
  readonly isEncrypted: boolean;
  readonly partition?: Volume['partition'];
  /** The names of the volumes that it is made of. */
  readonly madeOf: readonly string[];
  /** Its content; undefined where that cannot be read. */
  readonly device: BlockDevice | undefined;
  /** Of the volumes that hold other parts of its file system. */
  readonly others?: readonly BlockDevice[];
  /** Undefined for what is not known at all. */
  readonly identity?: FileSystemIdentity | undefined;
  /** What is read of it here; undefined for nothing. */
  readonly holds: 'files' | 'swap' | 'volumes' | undefined;
  /** Why it cannot be read, or what it holds: encrypted, a part is missing, damaged. */
  readonly problem?: VarveError | undefined;
}

/** What stands on a device, as far as that can be told without opening it. */
export async function identifyContent(device: BlockDevice): Promise<Pick<GuestVolume, 'holds' | 'identity'>> {
  const identity = await (await findFileSystem(device))?.identify(device);
  if (identity !== undefined) return { holds: 'files', identity };
  const swap = await findSwapSpace(device);
  if (swap === undefined) return { holds: undefined, identity: await identifyForeign(device) };
  const { label, pageSize: blockSize, size, uuid } = swap;
  return { holds: 'swap', identity: { type: 'swap', version: '1', label, uuid, blockSize, size } };
}

/**
 * Opens the file system of a volume; undefined where it holds none. `name` is the disk's.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function openVolume(volume: GuestVolume, name: string): Promise<FileSystem | undefined> {
  const { device, holds, others } = volume;
  if (device === undefined || holds !== 'files') return undefined;
  const driver = await findFileSystem(device);
  return await driver?.open(device, { name: `${name}, ${volume.name}`, others });
}

import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { concatenatedDevice } from '../../block/concatenated-device.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import type { DevicePart } from './chunk-map.ts';
import { newestSuperblock } from './read-superblock.ts';
import type { Superblock } from './superblock.ts';

/** The devices of a Btrfs as one. */
export interface JoinedDevices {
  /** All of them, one behind the other, the one that was asked for first. */
  readonly joined: BlockDevice;
  /** Where each of them is in that, by its number. */
  readonly devices: ReadonlyMap<number, DevicePart>;
  /** The newest, with what it says of the device that was asked for. */
  readonly superblock: Superblock;
}

/** Joins a device of a Btrfs and those among `others` that are of the same one. */
export async function joinDevices(
  device: BlockDevice,
  own: Superblock,
  others: readonly BlockDevice[],
): Promise<JoinedDevices> {
  const parts = [device];
  const devices = new Map<number, DevicePart>([[own.deviceId, { start: 0, size: own.deviceSize }]]);
  let superblock = own;
  let start = device.size;
  for (const other of own.deviceCount === 1 ? [] : others) {
    const found = await superblockOf(other);
    // A second device of a number is a copy of the first one.
    if (found === undefined || !isEqual(found.fsid, own.fsid) || devices.has(found.deviceId)) continue;
    devices.set(found.deviceId, { start, size: Math.min(found.deviceSize, other.size) });
    parts.push(other);
    start += other.size;
    // One that was missing for a while has what was there before.
    if (found.generation > superblock.generation) superblock = found;
  }
  const joined = parts.length === 1 ? device : concatenatedDevice(parts);
  return { joined, devices, superblock: { ...superblock, deviceId: own.deviceId, deviceSize: own.deviceSize } };
}

async function superblockOf(device: BlockDevice): Promise<Superblock | undefined> {
  try {
    return (await newestSuperblock(device, '')).superblock;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
    throw error;
  }
}

import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { decodeRecord } from './directory-record.ts';
import { Iso9660FileSystem } from './iso9660-file-system.ts';
import { isRockRidge } from './rock-ridge.ts';
import { readFields, skippedLength } from './system-use.ts';
import { Iso9660Volume } from './volume.ts';
import { checkDescriptor, readVolumeDescriptors, type VolumeDescriptor } from './volume-descriptor.ts';

const type = 'iso9660';

/** ISO 9660, with Rock Ridge where it is there, else Joliet's names, else its own. */
export const iso9660: FileSystemDriver = {
  types: [type],
  async identify(device) {
    const descriptors = await readVolumeDescriptors(device);
    return descriptors.length === 0 ? undefined : identityOf(descriptors);
  },
  open: openIso9660,
};

async function openIso9660(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const descriptors = await readVolumeDescriptors(device);
  const [primary, joliet] = descriptors;
  const volume = new Iso9660Volume(device, primary?.blockSize ?? 0, name);
  if (primary === undefined) throw volume.corrupt('it has no ISO 9660 volume descriptor');
  checkDescriptor(primary, name);
  const root = await rootOf(volume, primary);
  const identity = identityOf(descriptors);
  if (root.skipped !== undefined) {
    return new Iso9660FileSystem({ volume, identity, ...root, names: 'rock ridge', skipped: root.skipped });
  }
  if (joliet === undefined) return new Iso9660FileSystem({ volume, identity, ...root, names: 'plain', skipped: 0 });
  checkDescriptor(joliet, name);
  const jolietVolume = new Iso9660Volume(device, joliet.blockSize, name);
  const { root: place } = await rootOf(jolietVolume, joliet);
  return new Iso9660FileSystem({ volume: jolietVolume, identity, root: place, names: 'joliet', skipped: 0 });
}

/** Where the root's own record is; `skipped` is defined where there is Rock Ridge. @throws VarveError `CORRUPT` */
async function rootOf(
  volume: Iso9660Volume,
  descriptor: VolumeDescriptor,
): Promise<{ readonly root: number; readonly skipped: number | undefined }> {
  const record = decodeRecord(descriptor.root, 0);
  if (typeof record === 'string') throw volume.corrupt(`the record of its root ${record}`);
  const root = record.block * volume.blockSize;
  const own = await volume.record(root);
  if (own === undefined) throw volume.corrupt(`its root at byte ${root} has no record of its own`);
  const skipped = skippedLength(own.systemUse);
  if (skipped === undefined) return { root, skipped };
  const fields = await readFields(volume, own.systemUse, 'the record of the root');
  return { root, skipped: isRockRidge(fields) ? skipped : undefined };
}

function identityOf([primary, joliet]: readonly VolumeDescriptor[]): FileSystemIdentity {
  const { blockSize, size, date, label } = primary!;
  // Joliet's has room for 16 letters only, but for any.
  const shown = joliet === undefined || label.startsWith(joliet.label) ? label : joliet.label;
  return { type, blockSize, size, label: shown === '' ? undefined : shown, uuid: date };
}

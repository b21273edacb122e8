import fs from 'node:fs/promises';
import { isVarveError, systemError } from '../../base/varve-error.ts';
import { openDiskGuest } from '../../guest/open-disk-guest.ts';
import { diskArgument } from '../../image/disk-argument.ts';
import type { OpenDiskOptions } from '../../image/open-disk.ts';
import { referenceOf } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import type { GuestOpener, PinnedDisk } from './guest-source.ts';

/** What opens whatever disk an argument may name. Of images, their newest snapshot is served as soon as it is there. */
export function diskGuests(access: OpenDiskOptions): GuestOpener {
  return { open: (disk) => openDiskGuest(disk, access), pin: (disk) => pin(disk, access) };
}

async function pin(disk: string, { store: given }: OpenDiskOptions): Promise<PinnedDisk> {
  const argument = diskArgument(disk);
  if (argument.kind === 'address') return { disk, version: disk };
  if (argument.kind === 'snapshot') {
    const store = typeof given === 'function' ? await given() : given;
    return store === undefined ? { disk, version: disk } : pinSnapshot(store, argument.reference);
  }
  const { ctimeMs, dev, ino, mtimeMs, size } = await fs.stat(argument.path).catch((error) => {
    throw systemError(`read ${argument.path}`, error);
  });
  return { disk, version: `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}` };
}

function pinSnapshot(store: Store, reference: string): PinnedDisk {
  try {
    const snapshot = store.images.resolve(reference);
    return { disk: referenceOf(snapshot), version: Buffer.from(snapshot.root).toString('hex') };
  } catch (error) {
    // It is being stored still, and can be read from what it is stored from.
    if (!isVarveError(error, 'BUSY')) throw error;
    const disk = `${reference.split('@')[0]}@${store.images.pendingNumber(reference)}`;
    return { disk, version: `pending ${disk}` };
  }
}

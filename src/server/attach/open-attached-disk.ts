import { checkedDevice } from '../../block/checked-device.ts';
import { openAddressDevice } from '../../image/address-device.ts';
import { type DiskAddress, diskAddress } from '../../image/disk-address.ts';
import type { AttachedDisk, AttachedDiskRequest } from './attached-disk-request.ts';

/**
 * Opens a disk to be attached, as `openAnyDisk` does. A raw disk of an NBD server, as each of a transaction is, needs
 * nothing of formats and stores, whose code takes longer to load than all the rest.
 *
 * @throws VarveError as `openAnyDisk` does
 */
export async function openAttachedDisk(request: AttachedDiskRequest): Promise<AttachedDisk> {
  const address = plainAddress(request);
  if (address === undefined) {
    const { openAnyDisk } = await import('./open-any-disk.ts');
    return await openAnyDisk(request);
  }
  const device = checkedDevice(await openAddressDevice(address, { writable: true }), { label: address.label });
  return { device, access: 'writable', [Symbol.asyncDispose]: async () => device[Symbol.asyncDispose]() };
}

/** Of a disk that is nothing but what an NBD server has there, to be written to. */
function plainAddress({ access, disk, filters, options }: AttachedDiskRequest): DiskAddress | undefined {
  const { format = 'raw', internalSnapshot } = options;
  const address = diskAddress(disk);
  const isPlain = access === 'writable' && filters === undefined && format === 'raw' && internalSnapshot === undefined;
  return isPlain && address?.kind === 'nbd' ? address : undefined;
}

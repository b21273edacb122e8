import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { AddressDiskOptions } from './address-disk.ts';
import { diskArgument } from './disk-argument.ts';
import { type FileDisk, type OpenFileDiskOptions, openDeviceDisk, openFileDisk } from './file-disk.ts';
import { withFileHint } from './file-hint.ts';
import type { FilterChain } from './filters/filter-chain.ts';

/** A snapshot of a store, open for reading. Disposing of it closes the device and leaves the store open. */
export interface SnapshotDisk extends AsyncDisposable {
  readonly kind: 'snapshot';
  /** `web@3` */
  readonly label: string;
  readonly device: BlockDevice;
  readonly snapshot: Snapshot;
  readonly store: Store;
}

/** An open disk, and what it is. */
export type Disk = SnapshotDisk | FileDisk;

/** Where and how `openDisk` looks. */
export interface OpenDiskOptions extends OpenFileDiskOptions, Pick<AddressDiskOptions, 'connections'> {
  /** The store, or what opens it: called only for an argument that names a snapshot. It stays the caller's. */
  readonly store?: Store | (() => Promise<Store>) | undefined;
}

/**
 * Opens the disk that an argument names, for reading: `web` or `web@3` in the store, `./disk.qcow2`, `/dev/sdb`,
 * `nbd://host/web`, `https://host/disk.qcow2`.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED`, `CORRUPT`, `INVALID`, `IO`; the message names the disk
 */
export async function openDisk(argument: string, options: OpenDiskOptions = {}): Promise<Disk> {
  const parsed = diskArgument(argument);
  if (parsed.kind === 'file') return await openFileDisk(parsed.path, options);
  if (parsed.kind === 'address') {
    const { openAddressDisk } = await import('./address-disk.ts');
    return await openAddressDisk(parsed.address, options);
  }
  try {
    return await openSnapshotDisk(parsed.reference, options);
  } catch (error) {
    throw withFileHint(argument, error);
  }
}

async function openSnapshotDisk(
  reference: string,
  { filters, format, store: given }: OpenDiskOptions,
): Promise<SnapshotDisk | FileDisk> {
  if (given === undefined) throw new TypeError(`${reference} names a snapshot, and no store is given`);
  const store = typeof given === 'function' ? await given() : given;
  // Files are read without what stores need.
  const { openPendingSnapshot } = await import('./open-pending.ts');
  const pending = await openPendingSnapshot(store, reference);
  if (pending !== undefined) {
    refuseFormat(format, pending.label);
    const what = { kind: 'snapshot content', label: pending.label } as const;
    return await openDeviceDisk(pending.device, what, { format: 'raw', filters });
  }
  const { settleImage } = await import('./settle-image.ts');
  await settleImage(store, reference);
  const snapshot = store.images.resolve(reference);
  const label = referenceOf(snapshot);
  refuseFormat(format, label);
  if (filters !== undefined) return await openFilteredSnapshot(store, snapshot, filters);
  const device = await store.openSnapshot(snapshot);
  return {
    ...{ kind: 'snapshot', label, device, snapshot, store },
    [Symbol.asyncDispose]: () => Promise.resolve(device[Symbol.asyncDispose]()),
  };
}

function refuseFormat(format: string | undefined, label: string): void {
  if (format === undefined) return;
  throw new VarveError('INVALID', `${label} is in the store and has no format to choose`);
}

/** What a snapshot holds, through filters: no snapshot any more for those who would read its map. */
export async function openFilteredSnapshot(store: Store, snapshot: Snapshot, filters: FilterChain): Promise<FileDisk> {
  const what = { kind: 'snapshot content', label: referenceOf(snapshot) } as const;
  return await openDeviceDisk(await store.openSnapshot(snapshot), what, { format: 'raw', filters });
}

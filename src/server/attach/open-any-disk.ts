import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { openTemporaryDevice } from '../../block/nameless-file.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { openWritableAddressDisk } from '../../image/address-disk.ts';
import { diskArgument } from '../../image/disk-argument.ts';
import { openWritableDisk } from '../../image/file-disk.ts';
import { withFileHint } from '../../image/file-hint.ts';
import { keepsWrites } from '../../image/filters/filter-chain.ts';
import { parseFilters } from '../../image/filters/parse-filters.ts';
import { type OpenDiskOptions, openDisk } from '../../image/open-disk.ts';
import { transactionDisk } from '../../image/transaction/transaction-name.ts';
import { openStore, type Store } from '../../store/store.ts';
import { ControlServer } from '../control/control-server.ts';
import { HeldImage } from '../control/held-image.ts';
import { HeldTransactionDisk } from '../control/held-transaction-disk.ts';
import type { AttachAccess, AttachedDisk, AttachedDiskRequest } from './attached-disk-request.ts';
import { keySecret } from './key-secret.ts';

/**
 * Opens a disk to be attached, whatever it is: a file in place, an image through its overlay, a snapshot to be read; with `ephemeral`, any of
 * them beneath an overlay that is gone when the disk is closed.
 *
 * @throws VarveError as `openDisk` and `openWritableDisk` do
 */
export async function openAnyDisk(request: AttachedDiskRequest): Promise<AttachedDisk> {
  const argument = diskArgument(request.disk);
  const filters = request.filters && parseFilters(request.filters, { report: (text) => console.error(text) });
  const options = { ...request.options, register: request.register, ...keySecret(request), filters };
  const mayChange = request.options.internalSnapshot === undefined && !keepsWrites(filters);
  const isInPlace = request.access === 'writable' && mayChange;
  if (isInPlace && argument.kind === 'file') {
    return attached(await openWritableDisk(argument.path, options), 'writable', request.disk);
  }
  if (isInPlace && argument.kind === 'address') {
    return attached(await openWritableAddressDisk(argument.address, options), 'writable', request.disk);
  }
  const inTransaction = argument.kind === 'snapshot' ? transactionDisk(argument.reference) : undefined;
  if (inTransaction !== undefined) return await openInTransaction(request, inTransaction);
  // A snapshot such as web@3 stays what it is, and through a filter an image is only read.
  const isImage = argument.kind === 'snapshot' && !argument.reference.includes('@') && filters === undefined;
  if (isInPlace && isImage) return await openHeldImage(request, argument.reference);
  return await openBelow(request, options);
}

/** Through its overlay, with a socket by which others take snapshots of it meanwhile. */
async function openHeldImage({ disk, storePath }: AttachedDiskRequest, name: string): Promise<AttachedDisk> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore(storePath));
  const control = stack.use(await ControlServer.listen());
  const held = stack.use(
    await HeldImage.open(store, name, control, { purpose: `attach ${name}` }).catch((error) => {
      throw withFileHint(disk, error);
    }),
  );
  stack.use(held.connect());
  return kept(stack.move(), held.device, 'writable');
}

/** The disk that a transaction makes of an image. */
async function openInTransaction(
  { access, disk, storePath }: AttachedDiskRequest,
  inTransaction: { readonly image: string; readonly transaction: string },
): Promise<AttachedDisk> {
  if (access !== 'writable') {
    throw new VarveError('INVALID', `${disk} is written to; leave out --read-only and --ephemeral`);
  }
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore(storePath));
  const control = stack.use(await ControlServer.listen());
  const held = stack.use(await HeldTransactionDisk.open(store, inTransaction, control, 'attach'));
  stack.use(held.connect());
  return kept(stack.move(), held.device, access);
}

async function openBelow(
  { access, disk, storePath }: AttachedDiskRequest,
  options: OpenDiskOptions,
): Promise<AttachedDisk> {
  await using stack = new AsyncDisposableStack();
  const open = async (): Promise<Store> => stack.use(await openStore(storePath));
  const { device: base } = stack.use(await openDisk(disk, { ...options, store: open }));
  if (access === 'read-only') return kept(stack.move(), base.supports.write ? readOnlyFilter(base) : base, access);
  // Where a filter keeps what is written, the disk can be written as it is.
  if (access === 'writable') return kept(stack.move(), base, base.supports.write ? 'ephemeral' : 'read-only');
  const top = await openTemporaryDevice(base.size);
  const device = stack.use(checkedDevice(overlayFilter(base, top), { label: disk }));
  return kept(stack.move(), device, 'ephemeral');
}

function kept(stack: AsyncDisposableStack, device: BlockDevice, access: AttachAccess): AttachedDisk {
  return { device, access, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function attached(
  disk: AsyncDisposable & { readonly image: BlockDevice },
  access: AttachAccess,
  label: string,
): AttachedDisk {
  const device = checkedDevice(disk.image, { label });
  return { device, access, [Symbol.asyncDispose]: async () => disk[Symbol.asyncDispose]() };
}

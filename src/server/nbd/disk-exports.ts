import { basename } from 'node:path';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { openTemporaryDevice } from '../../block/nameless-file.ts';
import { undisposed } from '../../block/undisposed.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import { readOnlyFilter } from '../../filter/read-only.ts';
import { openAddressDisk, openWritableAddressDisk } from '../../image/address-disk.ts';
import { type DiskArgument, diskArgument } from '../../image/disk-argument.ts';
import { type FileDisk, type OpenFileDiskOptions, openFileDisk, openWritableDisk } from '../../image/file-disk.ts';
import { withFileHint } from '../../image/file-hint.ts';
import { requireNoChildren } from '../../image/file-history/children.ts';
import { keepsWrites } from '../../image/filters/filter-chain.ts';
import { openFilteredSnapshot } from '../../image/open-disk.ts';
import { settleImage } from '../../image/settle-image.ts';
import { transactionDisk } from '../../image/transaction/transaction-name.ts';
import type { ListedExport } from '../../protocol/nbd/negotiation.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import type { ControlServer } from '../control/control-server.ts';
import type { HeldDisk } from '../control/held-disk.ts';
import { HeldImage } from '../control/held-image.ts';
import { HeldTransactionDisk, type TransactionDiskName } from '../control/held-transaction-disk.ts';
import { changesSource } from './changes-source.ts';
import { imageContexts } from './image-contexts.ts';
import { type ExportEntry, type NbdExport, type NbdExports, offerOf, sharedEntry } from './nbd-export.ts';

import { withBlockSizes } from './with-block-sizes.ts';

/** How disks are served. */
export interface DiskExportsOptions extends OpenFileDiskOptions {
  readonly store: () => Promise<Store>;
  readonly readOnly?: boolean | undefined;
  /** Each connection gets an overlay of its own over the disk, and what it writes is gone with it. */
  readonly ephemeral?: boolean | undefined;
  /** Where other processes talk to this one: with it images are written to, through an overlay that is kept. */
  readonly control?: (() => Promise<ControlServer>) | undefined;
  /** Serves every image and snapshot of the store, besides. */
  readonly all?: boolean | undefined;
  /** Each file's driver runs in a process of its own, without rights but those to the file. */
  readonly isolate?: boolean | undefined;
  /** What requests have to keep to, as far as it is given. */
  readonly blockSizes?: Partial<BlockSizes> | undefined;
}

/** Disks that are served, by name. Disposing closes what is shared. */
export interface DiskExports extends NbdExports, AsyncDisposable {
  /** The names of what was given as an argument, in order. */
  readonly names: readonly string[];
}

/**
 * Opens disks to be served: each under its name, a file under its own without its directory, and a single one under
 * the empty name, too.
 *
 * @throws VarveError as opening them does, `INVALID` for two of one name
 */
export async function openDiskExports(disks: readonly string[], options: DiskExportsOptions): Promise<DiskExports> {
  const exports = new OpenExports(options);
  try {
    if (options.all && options.filters !== undefined) {
      throw new VarveError('INVALID', '--filter is for disks that are named, and --all names none');
    }
    for (const disk of disks) await exports.add(disk);
    if (options.all) await exports.addStore();
  } catch (error) {
    await exports[Symbol.asyncDispose]();
    throw error;
  }
  return exports;
}

class OpenExports implements DiskExports {
  readonly names: string[] = [];
  readonly #entries = new Map<string, ExportEntry & ListedExport>();
  readonly #shared: AsyncDisposable[] = [];
  readonly #options: DiskExportsOptions;
  /** Given where all of it is served. */
  #store: Store | undefined;

  constructor(options: DiskExportsOptions) {
    this.#options = options;
  }

  async add(argument: string): Promise<void> {
    const disk = diskArgument(argument);
    const name = nameOf(disk);
    if (this.#entries.has(name)) throw new VarveError('INVALID', `two disks have the name ${name}; serve one of them`);
    this.names.push(name);
    const found = disk.kind === 'snapshot' ? await this.#referenceEntry(disk.reference) : await this.#fileEntry(disk);
    const entry = this.#inBlocks(found, argument);
    const offer = { ...entry.offer, name };
    this.#entries.set(name, { ...entry, offer, name, description: offer.description });
  }

  async addStore(): Promise<void> {
    if (this.#options.isolate) throw cannotIsolate();
    this.#store = await this.#options.store();
  }

  *list(): Iterable<ListedExport> {
    yield* this.#entries.values();
    if (this.#store === undefined) return;
    for (const { name } of this.#store.images.all()) yield { name };
    for (const snapshot of this.#store.images.every()) {
      yield { name: referenceOf(snapshot), description: firstLine(snapshot) };
    }
  }

  async find(name: string): Promise<ExportEntry | undefined> {
    const only = this.#entries.size === 1 ? this.#entries.values().next().value : undefined;
    const known = this.#entries.get(name) ?? (name === '' ? only : undefined);
    if (known !== undefined || this.#store === undefined || name === '') return known;
    const snapshot = findSnapshot(this.#store, name);
    return snapshot === undefined ? undefined : this.#inBlocks(this.#snapshotEntry(this.#store, snapshot), name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const shared of this.#shared.splice(0)) await shared[Symbol.asyncDispose]();
  }

  #inBlocks(entry: ExportEntry, name: string): ExportEntry {
    const { blockSizes } = this.#options;
    return blockSizes === undefined ? entry : withBlockSizes(entry, blockSizes, name);
  }

  async #fileEntry(argument: FileOrAddress): Promise<ExportEntry> {
    const { ephemeral = false, readOnly = false } = this.#options;
    const { filters, internalSnapshot } = this.#options;
    const isChanged = !readOnly && !ephemeral && internalSnapshot === undefined && !keepsWrites(filters);
    if (this.#options.isolate) return await this.#isolatedEntry(argument, isChanged);
    const disk = isChanged ? await openToChange(argument, this.#options) : await openToRead(argument, this.#options);
    this.#shared.push(disk);
    return this.#imageEntry(disk);
  }

  async #isolatedEntry(argument: FileOrAddress, isChanged: boolean): Promise<ExportEntry> {
    if (argument.kind !== 'file' || this.#options.filters !== undefined) throw cannotIsolate();
    const { path } = argument;
    const { openIsolatedDisk } = await import('./isolate/isolated-disk.ts');
    if (isChanged) await requireNoChildren(path, `change ${path}`);
    const disk = await openIsolatedDisk(path, isChanged, this.#options);
    this.#shared.push(disk);
    const { contexts, device } = disk;
    if (this.#options.ephemeral) return sharedOver({ device, description: path }, true);
    const connect = (): NbdExport => ({ device: disk.forClient(), description: path, contexts });
    return { offer: offerOf({ device, description: path, contexts }), connect };
  }

  #imageEntry({ image, label }: Pick<FileDisk, 'image' | 'label'>): ExportEntry {
    const { ephemeral = false, readOnly = false } = this.#options;
    // Through a filter, a disk that is only read can be written.
    const device = checkedDevice(readOnly && image.supports.write ? readOnlyFilter(image) : image, { label });
    return sharedOver({ device, description: label, contexts: imageContexts(image) }, ephemeral);
  }

  async #referenceEntry(reference: string): Promise<ExportEntry> {
    if (this.#options.isolate) throw cannotIsolate();
    const store = await this.#options.store();
    try {
      const { control, ephemeral, filters, readOnly } = this.#options;
      const inTransaction = transactionDisk(reference);
      if (inTransaction !== undefined) return await this.#transactionEntry(store, inTransaction);
      const isWritten = control !== undefined && !ephemeral && !readOnly && filters === undefined && !store.readOnly;
      if (isWritten && !reference.includes('@')) return await this.#heldEntry(store, reference, await control());
      await settleImage(store, reference);
      if (this.#options.filters === undefined) return this.#snapshotEntry(store, store.images.resolve(reference));
      const disk = await openFilteredSnapshot(store, store.images.resolve(reference), this.#options.filters);
      this.#shared.push(disk);
      return this.#imageEntry(disk);
    } catch (error) {
      throw withFileHint(reference, error);
    }
  }

  /** All connections share one overlay, which is kept. */
  async #heldEntry(store: Store, name: string, control: ControlServer): Promise<ExportEntry> {
    const held = await HeldImage.open(store, name, control, { purpose: `serve ${name}` });
    this.#shared.push(held);
    return heldEntry(held, held.device);
  }

  /** All connections share it, but for those that each write to an overlay of their own. */
  async #transactionEntry(store: Store, inTransaction: TransactionDiskName): Promise<ExportEntry> {
    const { control, ephemeral = false, readOnly = false } = this.#options;
    const held = await HeldTransactionDisk.open(store, inTransaction, await control?.(), 'serve');
    this.#shared.push(held);
    const device = readOnly ? readOnlyFilter(held.device) : held.device;
    return ephemeral ? sharedOver({ device }, true) : heldEntry(held, device);
  }

  /** A connection opens the snapshot for itself: a store may have thousands. */
  #snapshotEntry(store: Store, snapshot: Snapshot): ExportEntry {
    const { ephemeral = false } = this.#options;
    const description = firstLine(snapshot);
    const findContext = changesSource(store, snapshot);
    const traits = {
      size: snapshot.size,
      blockSize: 65536,
      supports: { write: ephemeral, trim: ephemeral, zero: ephemeral, extents: true },
    };
    return {
      offer: offerOf({ device: traits, description, findContext, isPrivate: ephemeral }),
      async connect() {
        const device = await store.openSnapshot(snapshot);
        const own = ephemeral ? await throwAwayOverlay(device) : device;
        const dispose = async (): Promise<void> => own[Symbol.asyncDispose]();
        return { device: own, description, findContext, [Symbol.asyncDispose]: dispose };
      },
    };
  }
}

function cannotIsolate(): VarveError {
  const what =
    'drivers of disk files are isolated, and neither images of the store, nor what others serve, nor filters';
  return new VarveError('INVALID', `${what}; leave out --isolate`);
}

type FileOrAddress = Exclude<DiskArgument, { readonly kind: 'snapshot' }>;

function nameOf(disk: DiskArgument): string {
  if (disk.kind === 'snapshot') return disk.reference;
  return disk.kind === 'file' ? basename(disk.path) : disk.address.name;
}

async function openToRead(argument: FileOrAddress, options: DiskExportsOptions): Promise<FileDisk> {
  if (argument.kind === 'file') return await openFileDisk(argument.path, options);
  return await openAddressDisk(argument.address, options);
}

/** What others serve to be read is served so here, too. */
async function openToChange(
  argument: FileOrAddress,
  options: DiskExportsOptions,
): Promise<Pick<FileDisk, 'label' | 'image'> & AsyncDisposable> {
  if (argument.kind === 'file') return await openWritableDisk(argument.path, options);
  const { address } = argument;
  if (address.kind === 'http') return await openAddressDisk(address, options);
  try {
    return await openWritableAddressDisk(address, options);
  } catch (error) {
    if (!isVarveError(error, 'READ_ONLY')) throw error;
    return await openAddressDisk(address, options);
  }
}

/** A disk that counts its clients, which all share `device`. */
function heldEntry(held: HeldDisk, device: BlockDevice): ExportEntry {
  return {
    offer: offerOf({ device }),
    connect() {
      const client = held.connect();
      return { device, [Symbol.asyncDispose]: async () => client[Symbol.dispose]() };
    },
  };
}

/** An entry whose disk stays open: shared as it is, or beneath an overlay for each connection. */
function sharedOver(nbdExport: NbdExport, ephemeral: boolean): ExportEntry {
  if (!ephemeral) return sharedEntry(nbdExport);
  const { description, device } = nbdExport;
  const supports = { write: true, trim: true, zero: true, extents: true };
  return {
    offer: offerOf({
      device: { size: device.size, blockSize: device.blockSize, supports },
      description,
      isPrivate: true,
    }),
    async connect() {
      const own = await throwAwayOverlay(undisposed(device));
      return { device: own, description, [Symbol.asyncDispose]: async () => own[Symbol.asyncDispose]() };
    },
  };
}

async function throwAwayOverlay(base: BlockDevice): Promise<BlockDevice> {
  return overlayFilter(base, await openTemporaryDevice(base.size));
}

/** By reference, or by content: `blake3:` and the hash of a content's root. */
function findSnapshot(store: Store, name: string): Snapshot | undefined {
  const root = /^blake3:([0-9a-f]{64})$/.exec(name)?.[1];
  if (root !== undefined) return store.images.withRoot(Buffer.from(root, 'hex'));
  try {
    return store.images.resolve(name);
  } catch (error) {
    if (error instanceof VarveError && ['NOT_FOUND', 'INVALID'].includes(error.code)) return undefined;
    throw error;
  }
}

function firstLine({ message }: Snapshot): string | undefined {
  const line = message.split('\n', 1)[0];
  return line === '' ? undefined : line;
}

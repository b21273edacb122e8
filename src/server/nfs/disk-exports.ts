import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import { type Guest, openGuest } from '../../guest/open-guest.ts';
import { type DiskArgument, diskArgument } from '../../image/disk-argument.ts';
import type { FileDisk, OpenFileDiskOptions } from '../../image/file-disk.ts';
import { openDisk } from '../../image/open-disk.ts';
import { settleImage } from '../../image/settle-image.ts';
import { parseReference } from '../../store/image-name.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import { guestFileTree } from '../guest-tree/file-place.ts';
import type { NfsExport, NfsExports, NfsTree } from './nfs-export.ts';

/** Which disks are served, and how they are opened. */
export interface NfsDisksOptions extends OpenFileDiskOptions {
  readonly store: () => Promise<Store>;
  /** Serves every image and snapshot of the store, besides. */
  readonly all?: boolean | undefined;
}

/** The insides of disks, to be mounted by the disks' names. Disposing closes what is kept open. */
export interface NfsDisks extends NfsExports, AsyncDisposable {
  /** The names of what was given as an argument, in order. */
  readonly names: readonly string[];
}

/**
 * Makes exports of disks: `web` is the newest snapshot at the time when a client mounts it, `web@3` always the same; a file
 * has its name without its directory; and a single one is mounted by `/`, too.
 *
 * @throws VarveError as opening them does, `INVALID` for two of one name
 */
export async function openNfsDisks(disks: readonly string[], options: NfsDisksOptions): Promise<NfsDisks> {
  const opened = new OpenDisks(options);
  try {
    for (const disk of disks) await opened.add(disk);
    if (options.all) await opened.addStore();
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  return opened;
}

class OpenDisks implements NfsDisks {
  readonly names: string[] = [];
  readonly #options: NfsDisksOptions;
  readonly #entries = new Map<string, () => Promise<NfsExport>>();
  readonly #kept: NfsExport[] = [];
  readonly #stack = new AsyncDisposableStack();
  /** Snapshots of which are served, whatever their numbers. */
  readonly #images = new Set<string>();
  #store: Store | undefined;

  constructor(options: NfsDisksOptions) {
    this.#options = options;
  }

  async add(argument: string): Promise<void> {
    const disk = diskArgument(argument);
    const name = nameOf(disk);
    if (this.#entries.has(name)) throw new VarveError('INVALID', `two disks have the name ${name}; serve one of them`);
    const isSnapshot = disk.kind === 'snapshot' && this.#options.filters === undefined;
    this.#entries.set(name, isSnapshot ? await this.#snapshotEntry(disk.reference) : await this.#keptEntry(argument));
    this.names.push(name);
  }

  async addStore(): Promise<void> {
    if (this.#options.filters !== undefined) {
      throw new VarveError('INVALID', '--filter is for disks that are named, and --all names none');
    }
    this.#store = await this.#options.store();
  }

  *list(): Iterable<string> {
    yield* this.names;
    if (!this.#options.all || this.#store === undefined) return;
    for (const { name } of this.#store.images.all()) yield name;
    for (const snapshot of this.#store.images.every()) yield referenceOf(snapshot);
  }

  async find(name: string): Promise<NfsExport | undefined> {
    const only = this.names.length === 1 ? this.names[0] : undefined;
    const entry = this.#entries.get(name === '' && only !== undefined ? only : name);
    if (entry !== undefined) return await entry();
    if (!this.#options.all || this.#store === undefined || name === '') return undefined;
    try {
      return await this.#newest(this.#store, name);
    } catch (error) {
      // It may be a longer path, of which only the beginning names a disk.
      if (isVarveError(error, 'NOT_FOUND', 'INVALID')) return undefined;
      throw error;
    }
  }

  async withId(id: Uint8Array): Promise<NfsExport | undefined> {
    const kept = this.#kept.find((each) => isEqual(each.id, id));
    if (kept !== undefined || this.#store === undefined) return kept;
    for (const snapshot of this.#store.images.every()) {
      const isServed = this.#options.all || this.#images.has(snapshot.image);
      if (isServed && isEqual(snapshot.root, id)) return this.#exportOf(this.#store, snapshot);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** A disk that is in no store stays open. */
  async #keptEntry(argument: string): Promise<() => Promise<NfsExport>> {
    const disk = this.#stack.use(await openDisk(argument, this.#options));
    const guest = this.#stack.use(await this.#guestOf(disk.device, disk.label));
    const tree = await guestFileTree(guest, '/');
    const files = disk.kind === 'snapshot' ? [] : disk.files;
    const open = async (): Promise<NfsTree> => ({ ...tree, [Symbol.asyncDispose]: async () => undefined });
    const kept = { id: idOf(disk.label, disk.device.size, files), open };
    this.#kept.push(kept);
    return async () => kept;
  }

  async #snapshotEntry(reference: string): Promise<() => Promise<NfsExport>> {
    this.#store ??= await this.#options.store();
    const store = this.#store;
    this.#images.add(parseReference(reference).image);
    // It is found out now whether there are files in it.
    const first = await this.#newest(store, reference);
    await (await first.open())[Symbol.asyncDispose]();
    return () => this.#newest(store, reference);
  }

  async #newest(store: Store, reference: string): Promise<NfsExport> {
    await settleImage(store, reference);
    return this.#exportOf(store, store.images.resolve(reference));
  }

  #exportOf(store: Store, snapshot: Snapshot): NfsExport {
    return {
      id: snapshot.root,
      open: async () => {
        await using stack = new AsyncDisposableStack();
        const device = await store.openSnapshot(snapshot);
        stack.defer(async () => device[Symbol.asyncDispose]());
        const guest = stack.use(await this.#guestOf(device, referenceOf(snapshot)));
        const tree = await guestFileTree(guest, '/');
        const held = stack.move();
        return { ...tree, [Symbol.asyncDispose]: () => held.disposeAsync() };
      },
    };
  }

  #guestOf(device: FileDisk['device'], name: string): Promise<Guest> {
    return openGuest(device, { name, askSecret: this.#options.askSecret });
  }
}

/** What no other content has, as far as can be told of files: their places, and when they were changed. */
function idOf(label: string, size: number, files: FileDisk['files']): Uint8Array {
  const seen = files.map(({ identity, path }) => [path, identity?.inode, identity?.size, identity?.modified]);
  return createHash('sha256')
    .update(JSON.stringify([label, size, seen]))
    .digest();
}

function nameOf(disk: DiskArgument): string {
  if (disk.kind === 'snapshot') return disk.reference;
  return disk.kind === 'file' ? basename(disk.path) : disk.address.name;
}

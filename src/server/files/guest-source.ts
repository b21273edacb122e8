import { VarveError } from '../../base/varve-error.ts';
import type { GuestFile } from '../../guest/guest-tree.ts';
import type { Guest } from '../../guest/open-guest.ts';
import type { FileSource, ServedFile } from './file-source.ts';
import { GuestPool, type GuestPoolOptions, type HeldGuest } from './guest-pool.ts';
import { type HotFilesOptions, hotFiles } from './hot-files.ts';

/** A disk as it is now. */
export interface PinnedDisk {
  /** What opens it, and nothing newer: `web@3`. */
  readonly disk: string;
  /** Of its content: another one means that the content may be another one. */
  readonly version: string;
}

/** What opens disks. */
export interface GuestOpener {
  /** @throws VarveError */
  open(disk: string): Promise<Guest>;
  /** What a disk is now; without this, a disk's name stands for one content for ever. @throws VarveError */
  pin?(disk: string): PinnedDisk | Promise<PinnedDisk>;
}

/** Which files of which disks are served. */
export interface GuestSourceOptions extends GuestPoolOptions, HotFilesOptions {
  /** Whether files of a disk are served: a name of the store, a file, an address. Nothing else is opened. */
  readonly allowed: (disk: string) => boolean;
}

/** Files of disks. Disposing closes the disks. */
export interface GuestSource extends FileSource, AsyncDisposable {
  /** How many disks are open. */
  readonly openCount: number;
}

/** As Linux has it of paths (PATH_MAX). */
const longestName = 4096;

/**
 * The files inside of disks, by names such as `web@3/boot/vmlinuz`, read by Varve's own file systems. Symlinks are followed
 * inside the disk, and never lead out of it. Disks stay open for a while, and files of up to `largest` bytes (128 MiB where
 * nothing is given) are kept in memory, `capacity` bytes (256 MiB) of them.
 */
export function guestSource(opener: GuestOpener, options: GuestSourceOptions): GuestSource {
  const pool = new GuestPool(options);
  const { allowed, capacity = 2 ** 28, largest = 2 ** 27 } = options;
  const source = hotFiles({ open: (name) => openIn(pool, opener, allowed, name) }, { capacity, largest });
  return {
    get openCount() {
      return pool.openCount;
    },
    open: (name) => source.open(name),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

async function openIn(
  pool: GuestPool,
  opener: GuestOpener,
  allowed: (disk: string) => boolean,
  name: string,
): Promise<ServedFile | undefined> {
  const parts = splitName(name, allowed);
  if (parts === undefined) return undefined;
  if (name.includes('\0') || parts.path.split('/').includes('..')) {
    throw new VarveError('PERMISSION', `cannot serve ${JSON.stringify(name)}: it leads out of the disk`);
  }
  const { disk, version } = (await opener.pin?.(parts.disk)) ?? { disk: parts.disk, version: parts.disk };
  const held = await pool.hold(JSON.stringify([disk, version]), () => opener.open(disk));
  try {
    const file = await held.guest.tree.find(parts.path);
    if (file?.kind === 'file') return new ServedGuestFile(held, file, version);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
  held[Symbol.dispose]();
  return undefined;
}

/** Disks may have a `/` in their names: the longest beginning that is one that may be read is taken. */
function splitName(name: string, allowed: (disk: string) => boolean): { disk: string; path: string } | undefined {
  if (name.length > longestName) return undefined;
  for (const text of new Set([name, name.replace(/^\/+/, '')])) {
    for (let end = text.lastIndexOf('/'); end > 0; end = text.lastIndexOf('/', end - 1)) {
      const disk = text.slice(0, end);
      if (allowed(disk)) return { disk, path: text.slice(end) };
    }
  }
  return undefined;
}

class ServedGuestFile implements ServedFile {
  readonly size: number;
  readonly version: string;
  readonly modifiedMs: number | undefined;
  readonly #held: HeldGuest;
  readonly #file: GuestFile;
  #isClosed = false;

  constructor(held: HeldGuest, file: GuestFile, version: string) {
    const { modified, size } = file.stat;
    this.#held = held;
    this.#file = file;
    this.size = size;
    this.modifiedMs = modified && modified.seconds * 1000 + Math.floor(modified.nanoseconds / 1e6);
    const mount = held.guest.mounts.findIndex(({ fileSystem }) => fileSystem === file.fileSystem);
    this.version = `${version}:${mount}:${file.node}`;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    if (this.#isClosed) throw new TypeError('the file is closed');
    const { fileSystem, node, path } = this.#file;
    for (let done = 0; done < target.length; ) {
      const length = await fileSystem.read(node, target.subarray(done), offset + done);
      if (length === 0) throw new VarveError('CORRUPT', `cannot read ${path}: it ends at byte ${offset + done}`);
      done += length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.#held[Symbol.dispose]();
    this.#isClosed = true;
  }
}

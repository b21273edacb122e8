import { LruMap } from '../../base/lru.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import type { FileSystem, FileSystemUsage, Timestamp } from '../../filesystem/file-system.ts';
import { fileTypes, type NfsAttributes } from '../../protocol/nfs/attribute-codec.ts';
import { DirectoryListing } from '../guest-tree/directory-listing.ts';
import type { FilePlace, FileTree } from '../guest-tree/file-place.ts';
import { KeptAnswers } from '../guest-tree/kept-answers.ts';

/** How many bytes of listings are kept of an export, of how many files what is told of them, and where directories are. */
const keptListings = 2 ** 23;
const keptAttributes = 2 ** 13;
const keptParents = 2 ** 13;
/** A handle has a byte for it. */
const mostVolumes = 256;
const noDevice = { major: 0, minor: 0 };
const epoch: Timestamp = { seconds: 0, nanoseconds: 0 };

/** A file system of an export, with what is known of it. */
class ExportVolume {
  readonly fileSystem: FileSystem;
  readonly index: number;
  /** By which clients tell file systems apart. */
  readonly fsid: bigint;
  readonly listings: KeptAnswers<DirectoryListing>;
  readonly attributes: KeptAnswers<NfsAttributes>;
  readonly mounted = new Map<number, ExportFile>();
  readonly parents = new LruMap<number, ExportFile>(keptParents);
  /** The directory that its root covers. */
  covered: ExportFile | undefined;
  #usage: Promise<FileSystemUsage> | undefined;

  constructor(fileSystem: FileSystem, index: number, fsid: bigint, share: number) {
    this.fileSystem = fileSystem;
    this.index = index;
    this.fsid = fsid;
    this.listings = new KeptAnswers(keptListings / share, ({ weight }) => weight);
    this.attributes = new KeptAnswers(keptAttributes / share, () => 1);
  }

  usage(): Promise<FileSystemUsage> {
    this.#usage ??= this.fileSystem.usage();
    return this.#usage;
  }
}

/** A file of an export. */
export interface ExportFile {
  readonly volume: ExportVolume;
  readonly node: number;
}

/** The files of an export: what is mounted in the guest is seen where it is there, each file system under its own number. */
export class ExportFiles {
  readonly root: ExportFile;
  readonly #volumes: readonly ExportVolume[];

  constructor({ mounts, root }: FileTree, id: Uint8Array) {
    const all = [root, ...mounts.flatMap((mount) => [mount.covered, mount.root])];
    const fileSystems = [...new Set(all.map(({ fileSystem }) => fileSystem))].slice(0, mostVolumes);
    const first = new DataView(id.buffer, id.byteOffset).getBigUint64(0);
    this.#volumes = fileSystems.map((each, index) => {
      return new ExportVolume(each, index, BigInt.asUintN(64, first + BigInt(index)), fileSystems.length);
    });
    this.root = this.#fileOf(root)!;
    for (const mount of mounts) {
      const [covered, top] = [this.#fileOf(mount.covered), this.#fileOf(mount.root)];
      if (covered === undefined || top === undefined) continue;
      covered.volume.mounted.set(covered.node, top);
      if (top.node === top.volume.fileSystem.root) top.volume.covered = covered;
    }
  }

  /** The file that a handle names; undefined for a volume that is not there. */
  file(volume: number, node: number): ExportFile | undefined {
    const found = this.#volumes[volume];
    return found && { volume: found, node };
  }

  /** Hot: what is known is there at once. */
  attributes({ node, volume }: ExportFile): MaybePromise<NfsAttributes> {
    return volume.attributes.get(node, () => describe(volume, node));
  }

  /** What a name in a directory stands for, with what is mounted there. */
  async lookup(directory: ExportFile, name: Uint8Array): Promise<ExportFile | undefined> {
    const { node, volume } = directory;
    // Only the file system knows whether a name may be written otherwise, too.
    const found = volume.listings.known(node)?.find(name) ?? (await volume.fileSystem.lookup(node, name));
    return found === undefined ? undefined : visible({ volume, node: found });
  }

  list({ node, volume }: ExportFile): MaybePromise<DirectoryListing> {
    return volume.listings.get(node, () => DirectoryListing.read(volume.fileSystem, node));
  }

  /** Remembers where a directory is. */
  notePlace({ node, volume }: ExportFile, parent: ExportFile): void {
    volume.parents.set(node, parent);
  }

  /** The directory that a directory is in; undefined where that is not known any more. */
  async parentOf(directory: ExportFile): Promise<ExportFile | undefined> {
    if (isSame(directory, this.root)) return directory;
    const known = directory.volume.parents.get(directory.node);
    if (known !== undefined) return known;
    const { covered, fileSystem } = directory.volume;
    const own = directory.node === fileSystem.root && covered !== undefined ? covered : directory;
    const node = await own.volume.fileSystem.parent?.(own.node);
    return node === undefined ? undefined : { volume: own.volume, node };
  }

  #fileOf({ fileSystem, node }: FilePlace): ExportFile | undefined {
    const volume = this.#volumes.find((each) => each.fileSystem === fileSystem);
    return volume && { volume, node };
  }
}

/** The file itself, or what is mounted on it. */
export function visible(file: ExportFile): ExportFile {
  return file.volume.mounted.get(file.node) ?? file;
}

function isSame(one: ExportFile, other: ExportFile): boolean {
  return one.node === other.node && one.volume === other.volume;
}

async function describe({ fileSystem, fsid }: ExportVolume, node: number): Promise<NfsAttributes> {
  const stat = await fileSystem.stat(node);
  const modified = stat.modified ?? epoch;
  return {
    ...{ type: fileTypes[stat.kind], mode: stat.mode, links: stat.links, uid: stat.uid, gid: stat.gid },
    ...{ size: stat.size, used: stat.allocated, device: stat.device ?? noDevice, fsid },
    // Where a file system has parts whose inodes have the same numbers, only nodes tell them apart.
    fileid: fileSystem.subvolumes === undefined && stat.inode > 0 ? stat.inode : node,
    ...{ accessed: stat.accessed ?? modified, modified, changed: stat.changed ?? modified },
  };
}

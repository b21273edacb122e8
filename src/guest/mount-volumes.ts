import { isVarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import { parseCrypttab, withCrypttabNames } from './crypttab.ts';
import { parseFstab } from './fstab.ts';
import { GuestTree } from './guest-tree.ts';
import { type GuestVolume, openVolume } from './guest-volume.ts';
import { readSmallFile } from './read-small-file.ts';
import { possibleRoots } from './subvolume-roots.ts';
import { isCalled } from './volume-names.ts';

/** A volume, and where in the guest it is mounted. */
export interface MountedVolume extends GuestVolume {
  /** `/`, `/boot`; undefined for one that is mounted nowhere. */
  readonly directory?: string | undefined;
}

/** A file system that is open, and where in the guest it is. */
export interface Mount {
  readonly volume: GuestVolume;
  readonly directory: string;
  readonly fileSystem: FileSystem;
}

/** What of a disk its system mounts. Disposing closes the file systems. */
export interface MountedVolumes extends AsyncDisposable {
  /** All of the disk's, by the names that its system has for them. */
  readonly volumes: readonly MountedVolume[];
  /** The root is the first; none where there is no file system. */
  readonly mounts: readonly Mount[];
  /** Why a file system could not be opened. */
  readonly failure: unknown;
}

/** An fstab that is larger is none, and what stands behind so much of it is not read. */
const largestTable = 1 << 20;

/** Opens the file systems among volumes that the system on one of them would mount. `name` is the disk's. */
export async function mountVolumes(found: readonly GuestVolume[], name: string): Promise<MountedVolumes> {
  await using stack = new AsyncDisposableStack();
  const open = async (volume: GuestVolume): Promise<FileSystem | undefined> => {
    const fileSystem = await openVolume(volume, name);
    return fileSystem && stack.use(fileSystem);
  };
  const { failure, root } = await findRoot(found, open, name);
  const tree = root && treeOf(root.fileSystem, name);
  const crypttab = (tree && (await readSmallFile(tree, '/etc/crypttab', largestTable))) ?? '';
  const volumes = withCrypttabNames(found, parseCrypttab(crypttab));
  const mounts: Mount[] = [];
  if (root !== undefined && tree !== undefined) {
    const rootVolume = volumes[found.indexOf(root.volume)]!;
    const fstab = (await readSmallFile(tree, '/etc/fstab', largestTable)) ?? '';
    mounts.push(
      { ...root, volume: rootVolume },
      ...(await mountsOf(fstab, { ...root, volume: rootVolume }, volumes, open)),
    );
  }
  // Of a volume that is mounted in several places, the first one.
  const directories = new Map(mounts.toReversed().map(({ directory, volume }) => [volume, directory]));
  const held = stack.move();
  return {
    volumes: volumes.map((volume) => ({ ...volume, directory: directories.get(volume) })),
    ...{ mounts, failure, [Symbol.asyncDispose]: () => held.disposeAsync() },
  };
}

type Open = (volume: GuestVolume) => Promise<FileSystem | undefined>;

/** The file system that looks most like the root of a system, the first of those that do so equally. */
async function findRoot(
  volumes: readonly GuestVolume[],
  open: Open,
  name: string,
): Promise<{ readonly root: Mount | undefined; readonly failure: unknown }> {
  let best: { readonly mount: Mount; readonly rank: number } | undefined;
  let failure: unknown;
  for (const volume of volumes) {
    try {
      const opened = await open(volume);
      if (opened === undefined) continue;
      for await (const fileSystem of possibleRoots(opened, name)) {
        const rank = await rankOf(treeOf(fileSystem, name));
        if (best === undefined || rank > best.rank) best = { mount: { volume, directory: '/', fileSystem }, rank };
        if (rank === highestRank) break;
      }
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
      failure ??= error;
    }
  }
  return { root: best?.mount, failure };
}

/** What shows that a file system is a system's root, and how much. */
const signs: readonly (readonly [path: string, rank: number])[] = [
  ['/etc/fstab', 3],
  ['/etc/os-release', 2],
  ['/Windows/System32/config', 2],
  ['/etc', 1],
];

const highestRank = 3;

async function rankOf(tree: GuestTree): Promise<number> {
  for (const [path, rank] of signs) if (await isThere(tree, path)) return rank;
  return 0;
}

/** Symlinks may lead nowhere, or in a circle: they are there all the same. */
async function isThere(tree: GuestTree, path: string): Promise<boolean> {
  try {
    return (await tree.find(path, { followLast: false })) !== undefined;
  } catch (error) {
    if (isVarveError(error, 'INVALID')) return false;
    throw error;
  }
}

function treeOf(fileSystem: FileSystem, name: string): GuestTree {
  return new GuestTree(new Map([['/', fileSystem]]), name);
}

/** What an fstab mounts besides the root. */
async function mountsOf(fstab: string, root: Mount, volumes: readonly GuestVolume[], open: Open): Promise<Mount[]> {
  const mounts: Mount[] = [];
  const opened = new Map<GuestVolume, FileSystem | undefined>([[root.volume, root.fileSystem]]);
  for (const entry of parseFstab(fstab)) {
    const volume = volumes.find((each) => isCalled(each, entry.device));
    const directory = normalized(entry.directory);
    if (volume === undefined || directory === undefined) continue;
    if (mounts.some((mount) => mount.directory === directory)) continue;
    const { subvolume } = entry;
    if (subvolume === undefined && (volume === root.volume || mounts.some((mount) => mount.volume === volume)))
      continue;
    const whole = opened.has(volume) ? opened.get(volume) : await open(volume);
    opened.set(volume, whole);
    // Where there are no subvolumes, the option means nothing to the file system.
    const fileSystem = subvolume && whole?.subvolume ? await whole.subvolume(subvolume) : whole;
    if (fileSystem !== undefined && fileSystem !== root.fileSystem) mounts.push({ volume, directory, fileSystem });
  }
  return mounts;
}

/** `/boot/` as `/boot`; undefined for what is no directory of a tree: `none`, `swap`. */
function normalized(directory: string): string | undefined {
  if (!directory.startsWith('/')) return undefined;
  const names = directory.split('/').filter((name) => name !== '' && name !== '.');
  return names.includes('..') || names.length === 0 ? undefined : `/${names.join('/')}`;
}

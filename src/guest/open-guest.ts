import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileStat, FileSystem } from '../filesystem/file-system.ts';
import { diskVolumes } from '../image/disk-volumes.ts';
import { deviceName, type FstabEntry, parseFstab } from './fstab.ts';
import { GuestTree } from './guest-tree.ts';
import { type GuestVolume, identifyVolume, openVolume } from './guest-volume.ts';

/** A volume, and where in the guest it is mounted. */
export interface MountedVolume extends GuestVolume {
  /** `/`, `/boot`; undefined for one that is mounted nowhere. */
  readonly directory?: string | undefined;
}

/** What is inside a disk, as the system on it would see it. Disposing closes its file systems, and leaves the disk open. */
export interface Guest extends AsyncDisposable {
  readonly volumes: readonly MountedVolume[];
  /** The files, from the root down, with everything mounted that the guest's fstab names. */
  readonly tree: GuestTree;
}

/** An fstab that is larger is none. */
const largestFstab = 1 << 20;

/**
 * Looks inside a disk. The root is the file system that has an `/etc/fstab`, else the one with an `/etc`, else the first;
 * what its fstab mounts and this disk has is mounted. Nothing of the disk is ever run.
 *
 * @throws VarveError `UNSUPPORTED` where no file system on it is known, `CORRUPT`
 */
export async function openGuest(device: BlockDevice, { name }: { readonly name: string }): Promise<Guest> {
  const { volumes: found } = await diskVolumes(device, name);
  const volumes: GuestVolume[] = [];
  for (const volume of found) volumes.push(await identifyVolume(device, volume));
  await using stack = new AsyncDisposableStack();
  const open = async (volume: GuestVolume): Promise<FileSystem | undefined> => {
    if (volume.identity === undefined || volume.isSwap) return undefined;
    const fileSystem = await openVolume(device, volume, name);
    return fileSystem && stack.use(fileSystem);
  };
  const root = await findRoot(volumes, open, name);
  const mounts = await mountsOf(root, volumes, open);
  const guestVolumes = volumes.map((volume) => ({
    ...volume,
    directory: mounts.find((mount) => mount.volume === volume)?.directory,
  }));
  const tree = new GuestTree(new Map(mounts.map(({ directory, fileSystem }) => [directory, fileSystem])), name);
  const held = stack.move();
  return { volumes: guestVolumes, tree, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

type Open = (volume: GuestVolume) => Promise<FileSystem | undefined>;

interface Mount {
  readonly volume: GuestVolume;
  readonly directory: string;
  readonly fileSystem: FileSystem;
}

async function findRoot(volumes: readonly GuestVolume[], open: Open, name: string): Promise<Mount> {
  let best: { readonly mount: Mount; readonly rank: number } | undefined;
  let failure: unknown;
  for (const volume of volumes) {
    try {
      const fileSystem = await open(volume);
      if (fileSystem === undefined) continue;
      const rank = await rankOf(fileSystem, name);
      if (best === undefined || rank > best.rank) best = { mount: { volume, directory: '/', fileSystem }, rank };
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
      failure ??= error;
    }
  }
  if (best !== undefined) return best.mount;
  throw failure ?? new VarveError('UNSUPPORTED', `${name} holds no file system that is known here`);
}

/** How much a file system looks like the root of a system. */
async function rankOf(fileSystem: FileSystem, name: string): Promise<number> {
  const tree = new GuestTree(new Map([['/', fileSystem]]), name);
  if ((await tree.find('/etc/fstab')) !== undefined) return 3;
  if ((await tree.find('/etc/os-release')) !== undefined) return 2;
  return (await tree.find('/etc')) === undefined ? 0 : 1;
}

async function mountsOf(root: Mount, volumes: readonly GuestVolume[], open: Open): Promise<Mount[]> {
  const mounts = [root];
  for (const entry of await fstabOf(root.fileSystem)) {
    const volume = volumes.find((each) => isMeant(each, entry));
    const directory = normalized(entry.directory);
    if (volume === undefined || volume === root.volume || directory === undefined) continue;
    if (mounts.some((mount) => mount.volume === volume || mount.directory === directory)) continue;
    const fileSystem = await open(volume);
    if (fileSystem !== undefined) mounts.push({ volume, directory, fileSystem });
  }
  return mounts;
}

async function fstabOf(fileSystem: FileSystem): Promise<FstabEntry[]> {
  const tree = new GuestTree(new Map([['/', fileSystem]]), 'fstab');
  const file = await tree.find('/etc/fstab');
  if (file === undefined || !isReadable(file.stat)) return [];
  const bytes = new Uint8Array(Math.min(file.stat.size, largestFstab));
  const length = await file.fileSystem.read(file.node, bytes, 0);
  return parseFstab(new TextDecoder().decode(bytes.subarray(0, length)));
}

function isReadable({ kind, size }: FileStat): boolean {
  return kind === 'file' && size <= largestFstab;
}

function isMeant({ identity, name }: GuestVolume, { device }: FstabEntry): boolean {
  const { key, value } = deviceName(device);
  if (key === 'UUID') return identity?.uuid?.toLowerCase() === value.toLowerCase();
  if (key === 'LABEL') return identity?.label === value;
  if (key !== 'path') return false;
  // The guest's disk may be called otherwise there: the number is what counts.
  const number = /^\/dev\/(?:[sv]d[a-z]|xvd[a-z]|(?:nvme\d+n\d+|mmcblk\d+)p)(\d+)$/.exec(value)?.[1];
  return number !== undefined && name === `/dev/sda${number}`;
}

/** `/boot/` as `/boot`; undefined for what is no directory of a tree: `none`, `swap`. */
function normalized(directory: string): string | undefined {
  if (!directory.startsWith('/')) return undefined;
  const names = directory.split('/').filter((name) => name !== '' && name !== '.');
  return names.includes('..') || names.length === 0 ? undefined : `/${names.join('/')}`;
}

import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { GuestTree } from './guest-tree.ts';
import { type Mount, type MountedVolume, mountVolumes } from './mount-volumes.ts';
import { findGuestVolumes, type VolumeTreeOptions } from './volume-tree.ts';

export type { MountedVolume } from './mount-volumes.ts';

/** What is inside a disk, as the system on it would see it. Disposing closes its file systems, and leaves the disk open. */
export interface Guest extends AsyncDisposable {
  readonly volumes: readonly MountedVolume[];
  /** The file systems that `tree` is made of, the root first. */
  readonly mounts: readonly Mount[];
  /** The files, from the root down, with everything mounted that the guest's fstab names. */
  readonly tree: GuestTree;
}

/**
 * Looks inside a disk. The root is the file system that has an `/etc/fstab`, else the one with an `/etc`, else the first;
 * what its fstab mounts and this disk has is mounted. Nothing of the disk is ever run.
 *
 * @throws VarveError `UNSUPPORTED` where no file system on it is known, `PERMISSION` where what it holds is encrypted and
 *   no secret opens it, `CORRUPT`
 */
export async function openGuest(device: BlockDevice, options: VolumeTreeOptions): Promise<Guest> {
  const { name } = options;
  await using stack = new AsyncDisposableStack();
  const { failure, mounts, volumes } = stack.use(await mountVolumes(await findGuestVolumes(device, options), name));
  if (mounts.length === 0) {
    const problem = volumes.find((each) => each.problem !== undefined)?.problem;
    throw failure ?? problem ?? new VarveError('UNSUPPORTED', `${name} holds no file system that is known here`);
  }
  const tree = new GuestTree(new Map(mounts.map(({ directory, fileSystem }) => [directory, fileSystem])), name);
  const held = stack.move();
  return { volumes, mounts, tree, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

import { resolve } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import { type AttachedLoop, loopsOf } from '../../linux/loop-device.ts';
import { type MountEntry, mountTable } from '../../linux/mount-table.ts';
import { findNbd } from '../../linux/nbd-device.ts';
import { type Attachment, attachmentDirectories } from './attachment.ts';

/** An attached disk, and what the kernel has made of it. */
export interface AttachedDiskState {
  readonly directory: string;
  readonly attachment: Attachment;
  readonly loops: readonly AttachedLoop[];
  /** What is mounted from its block devices and their partitions, or by our own readers. */
  readonly mounts: readonly MountEntry[];
}

/** All disks that are attached. */
export function attachedDisks(runDirectory: string): AttachedDiskState[] {
  return attachmentDirectories(runDirectory).flatMap(({ attachment, directory }) =>
    attachment === undefined || attachment.size === 0 ? [] : [stateOf(directory, attachment)],
  );
}

/** What the kernel knows of an attachment, now. */
export function stateOf(directory: string, attachment: Attachment): AttachedDiskState {
  const nbd = attachment.nbd && findNbd(attachment.nbd.name);
  // The device may be somebody else's by now.
  const isShown = attachment.files === undefined && (attachment.nbd === undefined || nbd !== undefined);
  const loops = isShown ? loopsOf(attachment.path) : [];
  const numbers = new Set([...loops.flatMap((loop) => loop.numbers), ...(nbd?.numbers ?? []), attachment.device]);
  const mounts = mountTable().filter(({ device }) => numbers.has(device));
  return { directory, attachment, loops, mounts };
}

/** The one that is meant by the path it has, the path of its loop device, or the disk's own name. @throws VarveError `NOT_FOUND`, `INVALID` */
export function findAttached(disks: readonly AttachedDiskState[], argument: string): AttachedDiskState {
  const names = [argument, resolve(argument)];
  const found = disks.filter(({ attachment, loops }) =>
    [attachment.path, attachment.disk, ...loops.map(({ path }) => path)].some((name) => names.includes(name)),
  );
  const [first, second] = found;
  if (first === undefined) {
    throw new VarveError('NOT_FOUND', `${argument} is not attached; varve list --attached shows what is`);
  }
  if (second === undefined) return first;
  const paths = found.map(({ attachment }) => attachment.path).join(', ');
  throw new VarveError('INVALID', `${argument} is attached ${found.length} times; say which one: ${paths}`);
}

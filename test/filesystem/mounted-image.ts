import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { cutPower } from '../crash/fragile-file-system.ts';
import { run } from './sample-image.ts';

/** Why this kernel cannot mount a file system of type `type` here; false where it can. */
export function whyNoMount(type: string): string | false {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  if (!fs.existsSync('/dev/loop-control')) return 'there is no loop device to be had';
  const known = fs.readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  return known.includes(type) ? false : `this kernel has no ${type}`;
}

interface MountOptions {
  readonly powerCut?: boolean;
  readonly options?: string;
  /** The program that mounts it through FUSE, where the kernel does not: `ntfs-3g`. */
  readonly type?: string;
}

/**
 * Mounts an image through the kernel, lets `fill` write to it, and unmounts it; with `powerCut` what was not synced
 * never reaches the image, and its journal is left to be replayed (ext4 and xfs).
 */
export async function fillMounted(
  image: string,
  fill: (directory: string) => Promise<void> | void,
  { powerCut = false, options = 'loop', type }: MountOptions = {},
): Promise<void> {
  const directory = fs.mkdtempSync(join(image, '..', 'mount-'));
  await run('mount', ['-o', options, ...(type === undefined ? [] : ['-t', type]), image, directory]);
  try {
    await fill(directory);
    if (powerCut) cutPower(directory);
  } finally {
    await run('umount', [directory]);
    await untilUnmounted(image);
  }
}

/** A namespace that somebody makes at the wrong moment holds on to a mount for a while, and what it has not written yet. */
async function untilUnmounted(image: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if ((await run('losetup', ['-j', image])).trim() === '') return;
    await setTimeout(25);
  }
  throw new Error(`${image} is still mounted somewhere`);
}

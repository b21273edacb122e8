import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { libc } from '../../src/linux/libc.ts';

/*
 * Source: linux/fs/ext4/ext4.h, EXT4_IOC_SHUTDOWN; linux/fs/xfs/libxfs/xfs_fs.h, XFS_IOC_GOINGDOWN. Both are
 * _IOR('X', 125, __u32), and take how to go down: 2 is at once, with nothing flushed, not even the journal.
 */
const shutdownRequest = 0x8004_587d;
const withoutFlush = 2;

export type FileSystemKind = 'ext4' | 'xfs';

const makers: Readonly<Record<FileSystemKind, { readonly size: number; readonly command: readonly string[] }>> = {
  ext4: { size: 256 * 2 ** 20, command: ['mkfs.ext4', '-q', '-F'] },
  xfs: { size: 320 * 2 ** 20, command: ['mkfs.xfs', '-q', '-f'] },
};

/** Why `kind` cannot be mounted and cut off here; false where it can. */
export function whyNoFileSystem(kind: FileSystemKind): string | false {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  const [maker] = makers[kind].command as [string];
  try {
    execFileSync(maker, ['-V'], { stdio: 'pipe' });
    execFileSync('losetup', ['--find'], { stdio: 'pipe' });
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing ? `${maker} and losetup are not both installed` : 'there is no loop device to be had';
  }
  const known = fs.readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  return known.includes(kind) ? false : `this kernel has no ${kind}`;
}

/** A file system on a loop device, whose power can be cut. */
export class FragileFileSystem implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #image: string;
  #isMounted = false;

  /** Makes one, in two files of `folder`. */
  constructor(kind: FileSystemKind, folder: string) {
    this.path = join(folder, 'mount');
    this.#image = join(folder, 'image');
    fs.mkdirSync(this.path);
    fs.writeFileSync(this.#image, '');
    fs.truncateSync(this.#image, makers[kind].size);
    const [maker, ...options] = makers[kind].command as [string, ...string[]];
    execFileSync(maker, [...options, this.#image], { stdio: 'pipe' });
    this.mount();
  }

  /** Mounts it again, which replays its journal. */
  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path], { stdio: 'pipe' });
    this.#isMounted = true;
  }

  /** Cuts the power: what no sync has written is lost, and whatever is done from now on fails. */
  cut(): void {
    cutPower(this.path);
  }

  /** Nobody may have a file of it open. */
  unmount(): void {
    execFileSync('umount', [this.path], { stdio: 'pipe' });
    this.#isMounted = false;
    this.#waitUntilGone();
  }

  /**
   * A namespace that somebody makes at the wrong moment holds on to a mount for a while: to mount the image again then would
   * give that back, which is still without power.
   */
  #waitUntilGone(): void {
    for (let attempt = 1; execFileSync('losetup', ['-j', this.#image], { encoding: 'utf8' }).trim() !== ''; attempt++) {
      if (attempt === 600) throw new Error(`${this.#image} is still mounted somewhere`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }

  [Symbol.dispose](): void {
    if (this.#isMounted) this.unmount();
  }
}

/** Cuts the power of the ext4 or xfs that is mounted at `path`. */
export function cutPower(path: string): void {
  const directory = fs.openSync(path, 'r');
  try {
    const { ioctl, errno } = libc();
    const result = ioctl(directory, shutdownRequest, new Uint32Array([withoutFlush]));
    if (result !== 0) throw new Error(`the file system would not go down: errno ${errno()}`);
  } finally {
    fs.closeSync(directory);
  }
}

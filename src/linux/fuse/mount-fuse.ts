import { closeSync, constants, openSync } from 'node:fs';
import { systemError } from '../../base/varve-error.ts';
import { mountFileSystem, mountFlags } from '../mount.ts';
import { fuseSource } from './fuse-source.ts';
import { accessOptions, mountByHelper } from './mount-by-helper.ts';

/** Where and how a FUSE file system is mounted. */
export interface FuseMountOptions {
  /** A file, which then shows the file system's root, or a directory. It must be of the same kind as the root. */
  readonly target: string;
  /** The type and permissions of the root. */
  readonly rootMode: number;
  readonly readOnly: boolean;
  /** Whether others than who mounts it may use it. */
  readonly allowOther: boolean;
  /** Whether the kernel decides by the attributes that we report who may do what; otherwise who may use it may do all. */
  readonly checksAccess: boolean;
}

/**
 * Mounts a file system that whoever holds the descriptor answers for: with the rights to do so itself, otherwise through
 * `fusermount3`. The descriptor of /dev/fuse (`O_NONBLOCK`), to be closed by the caller.
 *
 * @throws VarveError `PERMISSION`, `NOT_FOUND`, `UNSUPPORTED`, `IO`
 */
export async function mountFuse(options: FuseMountOptions): Promise<number> {
  if (process.geteuid?.() !== 0) return await mountByHelper(options);
  const fd = openFuse();
  try {
    const root = `fd=${fd},rootmode=${options.rootMode.toString(8)},user_id=0,group_id=0`;
    mountFileSystem({
      source: fuseSource,
      target: options.target,
      type: 'fuse.varve',
      flags: mountFlags.noSetUserId + mountFlags.noDevices + (options.readOnly ? mountFlags.readOnly : 0),
      data: [root, ...accessOptions(options)].join(','),
    });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFuse(): number {
  try {
    return openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw systemError('open /dev/fuse', error);
  }
}

import { closeSync, constants, openSync } from 'node:fs';
import { systemError } from '../../base/varve-error.ts';
import { mountFileSystem, mountFlags } from '../mount.ts';
import { fuseSource } from './fuse-source.ts';
import { mountByHelper } from './mount-by-helper.ts';

/** What a FUSE file system is called where mounts are listed. */
export interface FuseMountOptions {
  /** A file, which then shows the file system's root, or a directory. It must be of the same kind as the root. */
  readonly target: string;
  /** The type and permissions of the root. */
  readonly rootMode: number;
  readonly readOnly: boolean;
}

/**
 * Mounts a file system that whoever holds the descriptor answers for: with the rights to do so itself, otherwise through
 * `fusermount3`. The descriptor of /dev/fuse (`O_NONBLOCK`), to be closed by the caller.
 *
 * @throws VarveError `PERMISSION`, `NOT_FOUND`, `UNSUPPORTED`, `IO`
 */
export async function mountFuse(options: FuseMountOptions): Promise<number> {
  if (process.geteuid?.() !== 0) return await mountByHelper(options.target, options.readOnly);
  const fd = openFuse();
  try {
    const root = options.rootMode.toString(8);
    mountFileSystem({
      source: fuseSource,
      target: options.target,
      type: 'fuse.varve',
      flags: mountFlags.noSetUserId + mountFlags.noDevices + (options.readOnly ? mountFlags.readOnly : 0),
      // Who may do what is then up to the kernel, by the attributes that we report.
      data: `fd=${fd},rootmode=${root},user_id=0,group_id=0,allow_other,default_permissions`,
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

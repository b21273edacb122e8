import { unmountFileSystem } from '../mount.ts';
import { unmountByHelper } from './mount-by-helper.ts';

/** Unmounts a FUSE file system, as `unmountFileSystem` does, also where only `fusermount3` may. */
export async function unmountFuse(target: string, options: { readonly detach?: boolean } = {}): Promise<void> {
  if (process.geteuid?.() === 0) await unmountFileSystem(target, options);
  else await unmountByHelper(target, options);
}

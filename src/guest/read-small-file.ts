import { isVarveError } from '../base/varve-error.ts';
import type { GuestTree } from './guest-tree.ts';

/** The text of a file, at most its first `mostBytes`; undefined where there is no such file, or none that can be read. */
export async function readSmallFile(tree: GuestTree, path: string, mostBytes: number): Promise<string | undefined> {
  try {
    const file = await tree.find(path);
    if (file?.kind !== 'file') return undefined;
    const bytes = new Uint8Array(Math.min(file.stat.size, mostBytes));
    const length = await file.fileSystem.read(file.node, bytes, 0);
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch (error) {
    if (isVarveError(error)) return undefined;
    throw error;
  }
}

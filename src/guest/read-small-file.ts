import { isVarveError } from '../base/varve-error.ts';
import type { GuestTree } from './guest-tree.ts';
import { readPart } from './read-part.ts';

/** The text of a file, at most its first `mostBytes`; undefined where there is no such file, or none that can be read. */
export async function readSmallFile(tree: GuestTree, path: string, mostBytes: number): Promise<string | undefined> {
  try {
    const file = await tree.find(path);
    if (file?.kind !== 'file') return undefined;
    return new TextDecoder().decode(await readPart(file, 0, mostBytes));
  } catch (error) {
    if (isVarveError(error)) return undefined;
    throw error;
  }
}

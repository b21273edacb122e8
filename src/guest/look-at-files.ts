import { isVarveError, type VarveError } from '../base/varve-error.ts';
import type { GuestEntry, GuestFile } from './guest-tree.ts';

/** How many files are looked at at a time: disks that are far away answer several questions in the time of one. */
const atATime = 32;

/**
 * Looks at files, in their order. `onProblem` hears of those that cannot be read, which are left out then.
 *
 * @throws VarveError `CORRUPT` and others, where `onProblem` is left out
 */
export async function lookAtFiles(
  entries: readonly GuestEntry[],
  onProblem?: (error: VarveError) => void,
): Promise<GuestFile[]> {
  const files: GuestFile[] = [];
  for (let start = 0; start < entries.length; start += atATime) {
    const some = await Promise.all(entries.slice(start, start + atATime).map((entry) => lookAtFile(entry, onProblem)));
    for (const file of some) if (file !== undefined) files.push(file);
  }
  return files;
}

/** Looks at one file; undefined where it cannot be read, and `onProblem` heard of it. @throws as `lookAtFiles` does */
export async function lookAtFile(
  { fileSystem, node, path }: GuestEntry,
  onProblem?: (error: VarveError) => void,
): Promise<GuestFile | undefined> {
  try {
    const stat = await fileSystem.stat(node);
    return { path, fileSystem, node, kind: stat.kind, stat };
  } catch (error) {
    if (onProblem === undefined || !isVarveError(error)) throw error;
    onProblem(error);
    return undefined;
  }
}

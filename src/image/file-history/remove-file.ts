import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemError } from '../../base/varve-error.ts';
import { type FindChildrenOptions, findChildren, requireNoChildren } from './children.ts';
import { syncDirectory } from './file-places.ts';
import { realPath } from './image-file.ts';
import { requireNotUsed } from './require-not-used.ts';

/** How disk files are removed. */
export interface RemoveFilesOptions extends FindChildrenOptions {
  /** Also where other files build on them, which cannot be read any more then. */
  readonly force?: boolean | undefined;
}

/**
 * Removes disk files that nobody uses and nothing builds on but what is removed, too. All are looked at before one is
 * removed, and each is removed after those that build on it. Of a symbolic link, the link is removed.
 *
 * @throws VarveError `BUSY` with the names of what builds on one, `NOT_FOUND`, `PERMISSION`
 */
export async function removeFiles(paths: readonly string[], options: RemoveFilesOptions = {}): Promise<void> {
  await using locks = new AsyncDisposableStack();
  const files = new Map<string, string>();
  for (const path of paths) files.set(await realPath(path), path);
  const children = new Map<string, readonly string[]>();
  for (const [real, path] of files) {
    locks.use(await requireNotUsed(real, `remove ${path}`));
    children.set(real, await findChildren(real, options));
    if (!options.force) await requireNoChildren(real, `remove ${path}`, { ...options, except: [...files.keys()] });
  }
  for (const real of uppermostFirst(children)) await remove(files.get(real)!);
}

/** Each after those of the others that build on it. */
function* uppermostFirst(children: ReadonlyMap<string, readonly string[]>): Generator<string, undefined> {
  const left = new Set(children.keys());
  while (left.size > 0) {
    const next = [...left].find((each) => !children.get(each)!.some((child) => child !== each && left.has(child)));
    // In a ring all are alike.
    const chosen = next ?? [...left][0]!;
    left.delete(chosen);
    yield chosen;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await fs.unlink(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw systemError(`remove ${path}`, error);
  }
}

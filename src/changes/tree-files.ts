import { VarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import { textOf } from '../guest/guest-tree.ts';
import type { ComparedFile } from './file-change.ts';
import type { KnownChanges } from './known-changes.ts';

/** Two file systems, or two states of one. */
export interface TreeSides {
  readonly before: FileSystem;
  readonly after: FileSystem;
}

/** Where a comparison begins. */
export interface TreeStart {
  readonly path: string;
  readonly node: number;
}

/** How trees are compared. */
export interface CompareTreesOptions {
  /** Whether a node number means the same file on both sides. */
  readonly isSame: boolean;
  /** Whether files are looked for that have another name now; else they are one that was deleted and one that was added. */
  readonly renames: boolean;
  readonly known?: KnownChanges | undefined;
  /** Whether it counts when content was changed. */
  readonly times: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What is in a directory. */
export async function entriesOf(fileSystem: FileSystem, { path, node }: TreeStart): Promise<TreeStart[]> {
  const entries: TreeStart[] = [];
  for await (const entry of fileSystem.readDirectory(node)) {
    entries.push({ path: pathIn(path, textOf(entry.name)), node: entry.node });
  }
  return entries;
}

/** Looks at a file. */
export async function fileAt(fileSystem: FileSystem, { path, node }: TreeStart): Promise<ComparedFile> {
  return { path, fileSystem, node, stat: await fileSystem.stat(node) };
}

/** The path of a name in a directory. */
export function pathIn(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** Directories that were gone into, each at one path: one that is inside itself would have no end. */
export class OncePlaced {
  readonly #paths = new Map<number, string>();

  /** @throws VarveError `CORRUPT` for a directory that was at another path */
  check({ node, path }: TreeStart): void {
    const known = this.#paths.get(node);
    if (known !== undefined && known !== path) {
      throw new VarveError('CORRUPT', `the directory ${path} is in another place, too: ${known}`);
    }
    this.#paths.set(node, path);
  }
}

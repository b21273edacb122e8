import { isVarveError, type VarveError } from '../../base/varve-error.ts';
import type { FileKind } from '../../filesystem/file-system.ts';
import { type GuestEntry, type GuestFile, type GuestTree, nameOf } from '../guest-tree.ts';
import { lookAtFile } from '../look-at-files.ts';
import { walkGuest } from '../walk-guest.ts';
import type { FileTest } from './file-tests.ts';

/** What is looked for, all of it together; what is left out does not count. */
export interface FindQuery {
  readonly names?: readonly ((name: string) => boolean)[] | undefined;
  readonly paths?: readonly ((path: string) => boolean)[] | undefined;
  readonly kinds?: ReadonlySet<FileKind> | undefined;
  /** What a file has to be looked at for. */
  readonly tests: readonly FileTest[];
  /** Files without content, and directories without files. */
  readonly isEmpty?: boolean | undefined;
  /** Names that are left out, with all below them. */
  readonly excluded: readonly ((name: string) => boolean)[];
  readonly minDepth?: number | undefined;
  readonly maxDepth?: number | undefined;
  readonly oneFileSystem?: boolean | undefined;
  readonly onProblem: (error: VarveError) => void;
}

/** A file that was found, and what it is where it had to be looked at for that. */
export interface FoundFile {
  readonly entry: GuestEntry;
  readonly file?: GuestFile | undefined;
}

/** The files at and below `start` that a query asks for, in the order of `walkGuest`. Only those are looked at that have to be. */
export async function* findFiles(tree: GuestTree, start: GuestEntry, query: FindQuery): AsyncGenerator<FoundFile> {
  const { excluded, maxDepth, minDepth = 0, onProblem, oneFileSystem } = query;
  const isWanted = ({ path }: GuestEntry) => {
    const name = nameOf(path);
    return !excluded.some((fits) => fits(name));
  };
  const wanted = excluded.length === 0 ? undefined : isWanted;
  for await (const { depth, entry } of walkGuest(tree, start, { maxDepth, oneFileSystem, onProblem, wanted })) {
    if (depth < minDepth || !fitsEntry(entry, query)) continue;
    if (query.tests.length === 0 && !query.isEmpty) {
      yield { entry };
      continue;
    }
    const file = await lookAtFile(entry, onProblem);
    if (file !== undefined && (await fitsFile(tree, file, query))) yield { entry, file };
  }
}

function fitsEntry({ kind, path }: GuestEntry, { kinds, names, paths }: FindQuery): boolean {
  if (kinds !== undefined && !kinds.has(kind)) return false;
  const name = nameOf(path);
  if (names !== undefined && !names.some((fits) => fits(name))) return false;
  return paths === undefined || paths.some((fits) => fits(path));
}

async function fitsFile(tree: GuestTree, file: GuestFile, { isEmpty, onProblem, tests }: FindQuery): Promise<boolean> {
  if (!tests.every((fits) => fits(file.stat))) return false;
  if (!isEmpty) return true;
  if (file.kind !== 'directory') return file.kind === 'file' && file.stat.size === 0;
  try {
    return (await tree.entries(file)).length === 0;
  } catch (error) {
    if (!isVarveError(error)) throw error;
    onProblem(error);
    return false;
  }
}

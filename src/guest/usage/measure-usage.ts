import type { VarveError } from '../../base/varve-error.ts';
import type { FileStat, FileSystem, Timestamp } from '../../filesystem/file-system.ts';
import { type GuestEntry, type GuestFile, type GuestTree, nameOf } from '../guest-tree.ts';
import { lookAtFiles } from '../look-at-files.ts';
import { walkDirectories } from '../walk-guest.ts';
import { UsageIndex } from './usage-index.ts';

/** What is measured of a tree. */
export interface MeasureOptions {
  /** Whether only writing counts as use; otherwise the later of reading and writing does. */
  readonly byModified?: boolean | undefined;
  /** Whether files count by their length, in place of what they take. */
  readonly byLength?: boolean | undefined;
  /** Whether the names of files are kept, so that they can be shown by themselves. */
  readonly keepsNames?: boolean | undefined;
  readonly oneFileSystem?: boolean | undefined;
  /** Hears of what cannot be read, which is left out. */
  readonly onProblem?: ((error: VarveError) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Adds up what is in a directory of a guest, and when it was last used. A file of several names counts once, where the walk
 * comes by it first.
 *
 * @throws VarveError `CORRUPT` and others, where `onProblem` is left out
 */
export async function measureUsage(
  tree: GuestTree,
  start: GuestFile,
  options: MeasureOptions = {},
): Promise<UsageIndex> {
  const { keepsNames = false, onProblem, oneFileSystem, signal } = options;
  const index = new UsageIndex(keepsNames);
  const linked = new LinkedFiles();
  if (start.kind !== 'directory') addOne(index, start, options);
  else {
    const way: { readonly path: string; readonly index: number }[] = [];
    for await (const { directory, entries } of walkDirectories(tree, start, { oneFileSystem, onProblem })) {
      signal?.throwIfAborted();
      const { own, files } = await lookAround(directory, entries, onProblem);
      while (way.length > 0 && !isBelow(directory.path, way.at(-1)!.path)) way.pop();
      const parentIndex = way.at(-1)?.index ?? -1;
      const [bytes, time] = own === undefined ? [0, 0] : [sizeOf(own, options), secondsOf(own.modified)];
      way.push({ path: directory.path, index: index.addDirectory(directory.path, parentIndex, bytes, time) });
      for (const { fileSystem, node, path, stat } of files) {
        if (linked.isFirst(fileSystem, node, stat))
          index.addFile(nameOf(path), sizeOf(stat, options), lastUse(stat, options));
      }
    }
  }
  index.finish();
  return index;
}

/** A file that was asked for by itself. */
function addOne(index: UsageIndex, { path, stat }: GuestFile, options: MeasureOptions): void {
  index.addDirectory(path, -1, 0, 0);
  index.addFile(nameOf(path), sizeOf(stat, options), lastUse(stat, options));
}

/** Looks at a directory and the files in it; directories in it are looked at when it is their turn. */
async function lookAround(
  directory: GuestEntry,
  entries: readonly GuestEntry[],
  onProblem: MeasureOptions['onProblem'],
): Promise<{ readonly own: FileStat | undefined; readonly files: readonly GuestFile[] }> {
  const others = entries.filter(({ kind }) => kind !== 'directory');
  const looked = await lookAtFiles([directory, ...others], onProblem);
  const isOwn = looked[0]?.path === directory.path;
  return isOwn ? { own: looked[0]!.stat, files: looked.slice(1) } : { own: undefined, files: looked };
}

function isBelow(path: string, above: string): boolean {
  return above === '/' || path.startsWith(`${above}/`);
}

function sizeOf({ allocated, size }: FileStat, { byLength }: MeasureOptions): number {
  return byLength ? size : allocated;
}

/** Whoever wrote a file used it, whatever its time of access says. */
function lastUse({ accessed, modified }: FileStat, { byModified }: MeasureOptions): number {
  if (accessed === undefined || (byModified && modified !== undefined)) return secondsOf(modified);
  return modified === undefined ? secondsOf(accessed) : Math.max(secondsOf(accessed), secondsOf(modified));
}

/** What has no time is shown by Linux as from 1970. */
function secondsOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : time.seconds + time.nanoseconds / 1e9;
}

/** The files of several names that were there already. */
class LinkedFiles {
  readonly #seen = new Map<FileSystem, Set<number>>();

  isFirst(fileSystem: FileSystem, node: number, { links }: FileStat): boolean {
    if (links < 2) return true;
    const seen = this.#seen.get(fileSystem) ?? new Set();
    this.#seen.set(fileSystem, seen);
    if (seen.has(node)) return false;
    seen.add(node);
    return true;
  }
}

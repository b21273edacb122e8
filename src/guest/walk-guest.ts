import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import type { GuestEntry, GuestTree } from './guest-tree.ts';

/** How far a walk goes, and what it does where it cannot go on. */
export interface WalkOptions {
  /** How many levels below the start are gone down; 0 is the start alone. All, where nothing is given. */
  readonly maxDepth?: number | undefined;
  /** Which files the walk comes by at all; all, where nothing is given. */
  readonly wanted?: ((entry: GuestEntry) => boolean) | undefined;
  /** Whether other file systems than the start's are left out: what is mounted shows as an empty directory. */
  readonly oneFileSystem?: boolean | undefined;
  /** Hears of directories that cannot be read, and the walk goes on; where left out, it ends with that error. */
  readonly onProblem?: ((error: VarveError) => void) | undefined;
}

/** A file that a walk comes by. */
export interface WalkStep {
  readonly entry: GuestEntry;
  /** 0 for the start. */
  readonly depth: number;
  /** Whether it is the last one in its directory. */
  readonly isLast: boolean;
}

/** How many directories are read ahead: disks that are far away answer several questions in the time of one. */
const mostAhead = 8;
/** Where a tree is deeper, it was made to be (Linux itself cannot name what lies as deep, by one path). */
const deepest = 2048;

/**
 * A file and all below it, each directory before what it holds, and that by the bytes of the names. In memory is what is
 * still to come of the directories on the way, and the numbers of those that were there. Symlinks are not followed.
 *
 * @throws VarveError `CORRUPT` and others, where `onProblem` is left out
 */
export async function* walkGuest(
  tree: GuestTree,
  start: GuestEntry,
  options: WalkOptions = {},
): AsyncGenerator<WalkStep> {
  const pending: WalkStep[] = [{ entry: start, depth: 0, isLast: true }];
  const directories = new DirectoriesAhead(tree, start, options);
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    yield step;
    const { entry, depth } = step;
    if (entry.kind !== 'directory') continue;
    const entries = await directories.take(entry, depth);
    for (let index = entries.length - 1; index >= 0; index--) {
      pending.push({ entry: entries[index]!, depth: depth + 1, isLast: index === entries.length - 1 });
    }
    directories.readAhead(pending);
  }
}

/** A directory that a walk comes by, and what it holds. */
export interface DirectoryStep {
  readonly directory: GuestEntry;
  readonly entries: readonly GuestEntry[];
}

/** A directory and all below it, each with what it holds, in the order in which `walkGuest` comes by them. @throws as that does */
export async function* walkDirectories(
  tree: GuestTree,
  start: GuestEntry,
  options: WalkOptions = {},
): AsyncGenerator<DirectoryStep> {
  const pending = [{ entry: start, depth: 0 }];
  const directories = new DirectoriesAhead(tree, start, options);
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    const { entry, depth } = step;
    const entries = await directories.take(entry, depth);
    yield { directory: entry, entries };
    for (let index = entries.length - 1; index >= 0; index--) {
      if (entries[index]!.kind === 'directory') pending.push({ entry: entries[index]!, depth: depth + 1 });
    }
    directories.readAhead(pending);
  }
}

/** Reads the directories of a walk, each once, some of them before it is their turn. */
class DirectoriesAhead {
  readonly #tree: GuestTree;
  readonly #start: GuestEntry;
  readonly #options: WalkOptions;
  readonly #started = new Map<GuestEntry, Promise<GuestEntry[]>>();
  /** The directories that were there: one that is inside itself, or in two places, would have no end. */
  readonly #seen = new Map<FileSystem, Set<number>>();

  constructor(tree: GuestTree, start: GuestEntry, options: WalkOptions) {
    this.#tree = tree;
    this.#start = start;
    this.#options = options;
  }

  /** What a directory holds; nothing for one that is not gone into. */
  async take(directory: GuestEntry, depth: number): Promise<GuestEntry[]> {
    const { onProblem, wanted } = this.#options;
    if (!this.#isEntered(directory, depth)) return [];
    try {
      this.#refuseSeen(directory, depth);
      const entries = await (this.#started.get(directory) ?? this.#tree.entries(directory));
      return wanted === undefined ? entries : entries.filter(wanted);
    } catch (error) {
      if (onProblem === undefined || !isVarveError(error)) throw error;
      onProblem(error);
      return [];
    } finally {
      this.#started.delete(directory);
    }
  }

  /** Begins to read the directories that come next. */
  readAhead(pending: readonly Pick<WalkStep, 'entry' | 'depth'>[]): void {
    const last = Math.max(0, pending.length - mostAhead * 4);
    for (let index = pending.length - 1; index >= last && this.#started.size < mostAhead; index--) {
      const { entry, depth } = pending[index]!;
      if (entry.kind !== 'directory' || this.#started.has(entry) || !this.#isEntered(entry, depth)) continue;
      const reading = this.#tree.entries(entry);
      // Whoever takes it hears of a failure; a walk that is left early has nobody who would.
      reading.catch(() => {});
      this.#started.set(entry, reading);
    }
  }

  #isEntered({ fileSystem }: GuestEntry, depth: number): boolean {
    const { maxDepth, oneFileSystem } = this.#options;
    if (oneFileSystem && fileSystem !== this.#start.fileSystem) return false;
    return maxDepth === undefined || depth < maxDepth;
  }

  #refuseSeen({ fileSystem, node, path }: GuestEntry, depth: number): void {
    const seen = this.#seen.get(fileSystem) ?? new Set();
    this.#seen.set(fileSystem, seen);
    if (seen.has(node)) {
      throw new VarveError('CORRUPT', `cannot go into ${path}: the same directory was in another place already`);
    }
    if (depth > deepest) throw new VarveError('CORRUPT', `cannot go into ${path}: it lies ${depth} directories deep`);
    seen.add(node);
  }
}

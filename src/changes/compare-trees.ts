import type { FileChange } from './file-change.ts';
import { fileDifferences } from './file-differences.ts';
import { LooseFiles } from './loose-files.ts';
import {
  type CompareTreesOptions,
  entriesOf,
  fileAt,
  OncePlaced,
  pathIn,
  type TreeSides,
  type TreeStart,
} from './tree-files.ts';

/** Two files that stand for the same. */
interface Pair {
  readonly before: TreeStart;
  readonly after: TreeStart;
}

/**
 * What became of the files of one tree in the other, by their paths; undefined for a side that has none. A directory that was
 * renamed is told once; what is in it is only told where it changed in itself.
 *
 * @throws VarveError `CORRUPT`, and the reason of the signal
 */
export async function compareTrees(
  sides: TreeSides,
  start: { readonly before: TreeStart | undefined; readonly after: TreeStart | undefined },
  options: CompareTreesOptions,
): Promise<FileChange[]> {
  const comparison = new TreeComparison(sides, options);
  if (start.before !== undefined && start.after !== undefined) {
    await comparison.compare({ before: start.before, after: start.after });
  } else if (start.before !== undefined) comparison.loose.lost(start.before);
  else if (start.after !== undefined) comparison.loose.found(start.after);
  return await comparison.finish();
}

class TreeComparison {
  readonly loose: LooseFiles;
  readonly #sides: TreeSides;
  readonly #options: CompareTreesOptions;
  readonly #changes: FileChange[] = [];
  readonly #places = { before: new OncePlaced(), after: new OncePlaced() };

  constructor(sides: TreeSides, options: CompareTreesOptions) {
    this.#sides = sides;
    this.#options = options;
    this.loose = new LooseFiles(sides, options);
  }

  /** Compares two files and all below them. */
  async compare(first: Pair): Promise<void> {
    const pending = [first];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#options.signal?.throwIfAborted();
      for (const pair of await this.#comparePair(next)) pending.push(pair);
    }
  }

  /** Finds out what was renamed, and returns everything by paths. */
  async finish(): Promise<FileChange[]> {
    for await (const { before, after } of this.loose.renamed()) {
      const differences = await fileDifferences(before, after, this.#fileOptions);
      this.#changes.push({ kind: 'renamed', path: after.path, differences, before, after });
      if (after.stat.kind === 'directory') await this.#compareDirectories({ before, after });
    }
    for (const before of await this.loose.deleted()) {
      this.#changes.push({ kind: 'deleted', path: before.path, differences: [], before });
    }
    for (const after of await this.loose.added()) {
      this.#changes.push({ kind: 'added', path: after.path, differences: [], after });
    }
    return this.#changes.sort((a, b) => comparePaths(a.path, b.path));
  }

  async #compareDirectories(pair: Pair): Promise<void> {
    for (const below of await this.#entryPairs(pair)) await this.compare(below);
  }

  /** Returns the pairs below. */
  async #comparePair(pair: Pair): Promise<Pair[]> {
    const { before, after } = pair;
    const { known, isSame } = this.#options;
    const isUntouched = isSame && before.node === after.node && known?.differs(after.node) === false;
    if (isUntouched && !known.leads(after.node)) return [];
    const [fileA, fileB] = await Promise.all([fileAt(this.#sides.before, before), fileAt(this.#sides.after, after)]);
    if (!isUntouched) {
      const differences = await fileDifferences(fileA, fileB, this.#fileOptions);
      if (differences.length > 0) {
        this.#changes.push({ kind: 'modified', path: after.path, differences, before: fileA, after: fileB });
      }
    }
    const [isBefore, isAfter] = [fileA.stat.kind === 'directory', fileB.stat.kind === 'directory'];
    if (isBefore && isAfter) return await this.#entryPairs(pair);
    if (isBefore) for (const entry of await entriesOf(this.#sides.before, before)) this.loose.lost(entry);
    if (isAfter) for (const entry of await entriesOf(this.#sides.after, after)) this.loose.found(entry);
    return [];
  }

  /** What two directories have in common; what only one of them has is loose. */
  async #entryPairs({ before, after }: Pair): Promise<Pair[]> {
    this.#places.before.check(before);
    this.#places.after.check(after);
    const { known, isSame } = this.#options;
    if (isSame && before.node === after.node && known?.differs(after.node) === false) {
      const all = await entriesOf(this.#sides.after, after);
      const touched = all.filter(({ node }) => known.differs(node) || known.leads(node));
      return touched.map((entry) => ({
        before: { ...entry, path: pathIn(before.path, nameOf(entry.path)) },
        after: entry,
      }));
    }
    const pairs: Pair[] = [];
    const old = new Map<string, TreeStart>();
    for (const entry of await entriesOf(this.#sides.before, before)) old.set(nameOf(entry.path), entry);
    for (const entry of await entriesOf(this.#sides.after, after)) {
      const name = nameOf(entry.path);
      const was = old.get(name);
      old.delete(name);
      if (was === undefined) this.loose.found(entry);
      else pairs.push({ before: was, after: entry });
    }
    for (const entry of old.values()) this.loose.lost(entry);
    return pairs;
  }

  get #fileOptions() {
    return { times: this.#options.times, isUnchanged: this.#options.known?.isUnchanged ?? (() => false) };
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What is in a directory stands right behind it. */
function comparePaths(a: string, b: string): number {
  const [namesA, namesB] = [a.split('/'), b.split('/')];
  for (let index = 0; index < Math.min(namesA.length, namesB.length); index++) {
    if (namesA[index]! !== namesB[index]!) return namesA[index]! < namesB[index]! ? -1 : 1;
  }
  return namesA.length - namesB.length;
}

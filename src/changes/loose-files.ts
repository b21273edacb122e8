import type { ComparedFile } from './file-change.ts';
import { isSameFile } from './file-differences.ts';
import {
  type CompareTreesOptions,
  entriesOf,
  fileAt,
  OncePlaced,
  type TreeSides,
  type TreeStart,
} from './tree-files.ts';

/** A name that only one side has. */
export interface LooseFile extends TreeStart {
  /** The directory it is in, where that is only on this side, too. */
  readonly parent: LooseFile | undefined;
  isMatched: boolean;
  isExpanded: boolean;
}

/** The names that only one side has of one of the sides, from the uppermost on. */
class LooseSide {
  #files: LooseFile[] = [];
  /** Where they were renamed: a directory that is looked into twice has them only once. */
  readonly #matched = new Set<string>();

  add({ path, node }: TreeStart, parent?: LooseFile): void {
    if (!this.#matched.has(path)) this.#files.push({ path, node, parent, isMatched: false, isExpanded: false });
  }

  match(file: LooseFile): void {
    file.isMatched = true;
    this.#matched.add(file.path);
  }

  /** Those that are neither matched nor in a directory that is, by their paths. */
  open(): LooseFile[] {
    this.#files = this.#files.filter((file) => !isMatched(file)).sort((a, b) => (a.path < b.path ? -1 : 1));
    return this.#files;
  }
}

function isMatched(file: LooseFile): boolean {
  for (let at: LooseFile | undefined = file; at !== undefined; at = at.parent) if (at.isMatched) return true;
  return false;
}

/** A file by its old name and by its new one. */
export interface Renamed {
  readonly before: ComparedFile;
  readonly after: ComparedFile;
}

/** What only one side has: deleted, added, or renamed where both have the same file by another name. */
export class LooseFiles {
  readonly #sides: TreeSides;
  readonly #options: CompareTreesOptions;
  readonly #lost = new LooseSide();
  readonly #found = new LooseSide();
  /** The nodes that stand for another file than before. */
  readonly #others = new Set<number>();
  readonly #places = { before: new OncePlaced(), after: new OncePlaced() };

  constructor(sides: TreeSides, options: CompareTreesOptions) {
    this.#sides = sides;
    this.#options = options;
  }

  /** A name that is gone. */
  lost(file: TreeStart): void {
    this.#lost.add(file);
  }

  /** A name that is new. */
  found(file: TreeStart): void {
    this.#found.add(file);
  }

  /** The files that have another name; more may be lost and found between two of them. */
  async *renamed(): AsyncGenerator<Renamed> {
    do {
      for (let isOver = !(this.#options.isSame && this.#options.renames); !isOver; ) {
        isOver = true;
        for await (const pair of this.#renamedNow()) {
          isOver = false;
          yield pair;
        }
      }
    } while (await this.#expand());
  }

  /** Call it when all renamed ones are known. */
  async deleted(): Promise<ComparedFile[]> {
    return await Promise.all(this.#lost.open().map((file) => fileAt(this.#sides.before, file)));
  }

  /** Call it when all renamed ones are known. */
  async added(): Promise<ComparedFile[]> {
    return await Promise.all(this.#found.open().map((file) => fileAt(this.#sides.after, file)));
  }

  /** Of the files that are loose now. */
  async *#renamedNow(): AsyncGenerator<Renamed> {
    const lost = Map.groupBy(this.#lost.open(), ({ node }) => node);
    for (const file of this.#found.open()) {
      const candidate = lost.get(file.node)?.find((each) => !isMatched(each));
      if (candidate === undefined || isMatched(file) || this.#others.has(file.node)) continue;
      const before = await fileAt(this.#sides.before, candidate);
      const after = await fileAt(this.#sides.after, file);
      if (!(await isSameFile(before, after, this.#options.known?.isUnchanged ?? (() => false)))) {
        this.#others.add(file.node);
        continue;
      }
      this.#lost.match(candidate);
      this.#found.match(file);
      yield { before, after };
    }
  }

  /** Looks into the directories that only one side has, one level deeper; false where there are no more. */
  async #expand(): Promise<boolean> {
    const before = await this.#expandSide(this.#lost, 'before');
    const after = await this.#expandSide(this.#found, 'after');
    return before || after;
  }

  async #expandSide(side: LooseSide, which: keyof TreeSides): Promise<boolean> {
    const fileSystem = this.#sides[which];
    const unexpanded = side.open().filter(({ isExpanded }) => !isExpanded);
    for (const file of unexpanded) {
      this.#options.signal?.throwIfAborted();
      file.isExpanded = true;
      if ((await fileSystem.stat(file.node)).kind !== 'directory') continue;
      this.#places[which].check(file);
      for (const entry of await entriesOf(fileSystem, file)) side.add(entry, file);
    }
    return unexpanded.length > 0;
  }
}

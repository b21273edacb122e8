import { VarveError } from '../base/varve-error.ts';
import type { FileSystem } from '../filesystem/file-system.ts';

/** For more files than that, looking in all directories is no longer. */
const mostGuesses = 200;

/**
 * The directories through which the `nodes` of a file system are found: those that they are in, and those that these are
 * in, up to the root. Directories say themselves what they are in; files are looked for in the directories that are among
 * the nodes, and in `likely` ones, and where that is not enough, in all below `top`.
 *
 * @throws VarveError `CORRUPT`
 */
export async function findLeads(
  fileSystem: FileSystem,
  nodes: ReadonlySet<number>,
  { top, likely }: { readonly top: number; readonly likely: Iterable<number> },
): Promise<Set<number>> {
  const search = new LeadSearch(fileSystem);
  for (const node of nodes) await search.want(node);
  for (const node of nodes) await search.lookIn(node);
  for (const node of likely) if (!search.isDone) await search.look(node);
  await search.guess();
  if (!search.isDone) await search.walk(top);
  return search.leads;
}

class LeadSearch {
  readonly leads = new Set<number>();
  readonly #fileSystem: FileSystem;
  /** How many names of each node have not been found. */
  readonly #missing = new Map<number, number>();
  readonly #directories = new Set<number>();
  readonly #searched = new Set<number>();

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  get isDone(): boolean {
    return this.#missing.size === 0;
  }

  async want(node: number): Promise<void> {
    const { kind, links } = await this.#fileSystem.stat(node);
    // What has no name is deleted, and held open.
    if (links === 0) return;
    if (kind !== 'directory') this.#missing.set(node, links);
    else {
      this.#directories.add(node);
      if (node !== this.#fileSystem.root) await this.#leadTo(node);
    }
  }

  /** Looks what is in a directory; in other files, nothing. */
  async lookIn(node: number): Promise<void> {
    if (this.#directories.has(node)) await this.#search(node);
  }

  /** Looks what is in a directory. */
  async look(directory: number): Promise<void> {
    await this.#search(directory);
  }

  /** Looks where files are likely to be, if there are few to be found. */
  async guess(): Promise<void> {
    if (this.#missing.size > mostGuesses) return;
    for (const node of [...this.#missing.keys()]) {
      for await (const directory of this.#fileSystem.likelyParents?.(node) ?? []) {
        if (!this.#missing.has(node)) break;
        await this.#search(directory);
      }
    }
  }

  /** Looks in all directories below `top`, as long as something is missing. */
  async walk(top: number): Promise<void> {
    const pending = [top];
    const seen = new Set(pending);
    for (let next = pending.pop(); next !== undefined && !this.isDone; next = pending.pop()) {
      for (const below of await this.#search(next)) {
        if (seen.has(below)) throw corrupt(`directory ${below} is in several places`);
        seen.add(below);
        pending.push(below);
      }
    }
  }

  /** Looks for what is missing in a directory; returns the directories in it. */
  async #search(directory: number): Promise<number[]> {
    const isNew = !this.#searched.has(directory);
    this.#searched.add(directory);
    const below: number[] = [];
    let leads = false;
    for await (const { node, kind } of this.#fileSystem.readDirectory(directory)) {
      if ((kind ?? (await this.#fileSystem.stat(node)).kind) === 'directory') below.push(node);
      if (!isNew) continue;
      const missing = this.#missing.get(node);
      if (missing === undefined) continue;
      leads = true;
      if (missing > 1) this.#missing.set(node, missing - 1);
      else this.#missing.delete(node);
    }
    if (leads) await this.#addLead(directory);
    return below;
  }

  async #addLead(directory: number): Promise<void> {
    if (this.leads.has(directory)) return;
    this.leads.add(directory);
    if (directory !== this.#fileSystem.root) await this.#leadTo(directory);
  }

  /** Adds the directories that lead to one. Each has to have in it what says that it is there. */
  async #leadTo(directory: number): Promise<void> {
    for (let child = directory; child !== this.#fileSystem.root; ) {
      const parent = await this.#fileSystem.parent!(child);
      if (!(await this.#isIn(parent, child))) throw corrupt(`directory ${child} is not in ${parent}, as it says`);
      if (this.leads.has(parent)) return;
      this.leads.add(parent);
      child = parent;
    }
  }

  async #isIn(parent: number, child: number): Promise<boolean> {
    for await (const { node } of this.#fileSystem.readDirectory(parent)) if (node === child) return true;
    return false;
  }
}

function corrupt(why: string): VarveError {
  return new VarveError('CORRUPT', why);
}

import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import { FirstNames } from '../first-names.ts';
import { bytesOf, type GuestFile, type GuestTree, nameOf } from '../guest-tree.ts';
import { lookAtFile } from '../look-at-files.ts';
import { type WalkOptions, walkGuest } from '../walk-guest.ts';
import { giveMetadata } from './give-metadata.ts';
import { LeftOut } from './left-out.ts';
import { makeFile } from './make-file.ts';
import type { TargetDirectory } from './target-directory.ts';

/** How files are copied out of a guest. */
export interface ExtractOptions extends Pick<WalkOptions, 'oneFileSystem' | 'wanted'> {
  /** Replaces files that are there; directories are filled in any case. */
  readonly force: boolean;
  /** Hears of what cannot be read or made, and the rest is copied; a full disk ends it. */
  readonly onProblem: (error: VarveError) => void;
}

/** What was copied. */
export interface ExtractSummary {
  files: number;
  directories: number;
  symlinks: number;
  /** Further names of files. */
  hardLinks: number;
  /** Devices, FIFOs and sockets. */
  others: number;
  /** Of files, in bytes, without their holes. */
  dataLength: number;
}

/** A directory that is being filled. */
interface OpenDirectory {
  readonly directory: TargetDirectory;
  /** The names from the target on. */
  readonly names: readonly Uint8Array[];
  /** Whose owner and so on it gets in the end; undefined for one that was there. */
  readonly file: GuestFile | undefined;
  /** What was made in it, to tell two names of the disk that are one here from what was there. */
  readonly made: Set<string>;
}

/**
 * Copies files of a guest into a directory of this machine, and nowhere else, whatever the disk holds: names that are no
 * names are refused, symlinks are made and never followed, and what would be made twice is made once.
 */
export class FileExtractor {
  readonly summary: ExtractSummary = { files: 0, directories: 0, symlinks: 0, hardLinks: 0, others: 0, dataLength: 0 };
  readonly leftOut = new LeftOut();
  readonly #tree: GuestTree;
  readonly #target: TargetDirectory;
  readonly #options: ExtractOptions;
  readonly #firstNames = new FirstNames<{ readonly names: readonly Uint8Array[]; readonly identity: string }>();
  readonly #base: OpenDirectory;

  /** The target stays the caller's. */
  constructor(tree: GuestTree, target: TargetDirectory, options: ExtractOptions) {
    this.#tree = tree;
    this.#target = target;
    this.#options = options;
    this.#base = { directory: target, names: [], file: undefined, made: new Set() };
  }

  /** Copies a file, or a directory and all below it, under `name`; what a directory holds, where `name` is left out. */
  async copy(start: GuestFile, name?: string): Promise<void> {
    const open: OpenDirectory[] = [];
    // Below this depth nothing is copied: the directory there could not be made.
    let skipped = Number.POSITIVE_INFINITY;
    try {
      for await (const { depth, entry } of walkGuest(this.#tree, start, this.#options)) {
        if (depth > skipped) continue;
        skipped = Number.POSITIVE_INFINITY;
        await this.#closeTo(open, depth);
        const parent = open.at(-1) ?? this.#base;
        if (depth === 0 && name === undefined) {
          open.push({ ...this.#base });
          continue;
        }
        const file = depth === 0 ? start : await lookAtFile(entry, this.#options.onProblem);
        const made = file && (await this.#add(parent, file, bytesOf(depth === 0 ? name! : nameOf(entry.path))));
        if (made !== undefined) open.push(made);
        else if (entry.kind === 'directory') skipped = depth;
      }
      await this.#closeTo(open, 0);
    } finally {
      for (const { directory } of open) if (directory !== this.#target) directory[Symbol.dispose]();
    }
  }

  /** Gives directories that are full what is theirs: before, their times would change again. */
  async #closeTo(open: OpenDirectory[], depth: number): Promise<void> {
    while (open.length > depth) {
      const { directory, file } = open.pop()!;
      try {
        if (file !== undefined) await giveMetadata(directory.ownPath, file, this.leftOut);
      } catch (error) {
        this.#note(error, directory.label);
      } finally {
        if (directory !== this.#target) directory[Symbol.dispose]();
      }
    }
  }

  /** Makes a file; a directory is returned, to be filled. */
  async #add(parent: OpenDirectory, file: GuestFile, name: Uint8Array): Promise<OpenDirectory | undefined> {
    const label = parent.directory.labelOf(name);
    try {
      refuseStrangeName(name, file.path);
      if (file.kind === 'directory') return this.#addDirectory(parent, file, name);
      if (!(await this.#addFile(parent, file, name))) return undefined;
      parent.made.add(parent.directory.identityOf(name));
    } catch (error) {
      this.#note(error, label);
    }
    return undefined;
  }

  #addDirectory(parent: OpenDirectory, file: GuestFile, name: Uint8Array): OpenDirectory {
    const isNew = parent.directory.make(name);
    const identity = parent.directory.identityOf(name);
    if (!isNew && parent.made.has(identity)) throw collision(file, parent.directory.labelOf(name));
    const directory = parent.directory.enter(name);
    parent.made.add(identity);
    this.summary.directories += 1;
    return { directory, names: [...parent.names, name], file: isNew ? file : undefined, made: new Set() };
  }

  /** False where it is left out. */
  async #addFile(parent: OpenDirectory, file: GuestFile, name: Uint8Array): Promise<boolean> {
    const { directory, made } = parent;
    const first = this.#firstNames.get(file);
    const make = () =>
      first === undefined
        ? makeFile({ directory, file, name, leftOut: this.leftOut, summary: this.summary })
        : this.#addName(directory, name, first);
    let outcome = await make();
    if (outcome === 'there') {
      this.#makeRoom(directory, name, file, made);
      outcome = await make();
    }
    if (outcome === 'there')
      throw new VarveError('EXISTS', `cannot make ${directory.labelOf(name)}: it is there again`);
    if (outcome === 'made' && first === undefined) {
      this.#firstNames.set(file, { names: [...parent.names, name], identity: directory.identityOf(name) });
    }
    return outcome === 'made';
  }

  #makeRoom(directory: TargetDirectory, name: Uint8Array, file: GuestFile, made: ReadonlySet<string>): void {
    const label = directory.labelOf(name);
    if (made.has(directory.identityOf(name))) throw collision(file, label);
    if (!this.#options.force) {
      throw new VarveError('EXISTS', `cannot write ${label}: it exists already; give --force to replace it`);
    }
    directory.remove(name);
  }

  /** Gives the file that was made under its first name another one; the way there is gone anew, and what is there looked at. */
  #addName(
    directory: TargetDirectory,
    name: Uint8Array,
    first: { readonly names: readonly Uint8Array[]; readonly identity: string },
  ): 'made' | 'there' {
    using way = new DisposableStack();
    let from = this.#target;
    for (const each of first.names.slice(0, -1)) from = way.use(from.enter(each));
    if (!directory.addName(name, from, first.names.at(-1)!)) return 'there';
    if (directory.identityOf(name) !== first.identity) {
      directory.remove(name);
      throw new VarveError(
        'CONFLICT',
        `cannot link ${directory.labelOf(name)}: its first name is another file's by now`,
      );
    }
    this.summary.hardLinks += 1;
    return 'made';
  }

  #note(error: unknown, label: string): void {
    const known = systemError(`copy to ${label}`, error);
    if (!isVarveError(known) || known.code === 'NO_SPACE') throw known;
    this.#options.onProblem(known);
  }
}

function collision({ path }: GuestFile, label: string): VarveError {
  return new VarveError('CONFLICT', `cannot copy ${path}: another file of the disk has taken the name ${label}`);
}

/** File systems are read so that there are no such names; whatever is wrong there, nothing is written elsewhere. */
function refuseStrangeName(name: Uint8Array, path: string): void {
  const isDots = name.length <= 2 && name.every((byte) => byte === 0x2e);
  if (!isDots && !name.includes(0x2f) && !name.includes(0)) return;
  throw new VarveError('CORRUPT', `cannot copy ${path}: that is no name of a file`);
}

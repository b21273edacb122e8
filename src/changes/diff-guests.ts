import { VarveError } from '../base/varve-error.ts';
import { IntervalSet } from '../bytes/interval-set.ts';
import type { FileSystem } from '../filesystem/file-system.ts';
import type { GuestFile } from '../guest/guest-tree.ts';
import type { GuestVolume } from '../guest/guest-volume.ts';
import { haveSamePlaces, rangesInVolume } from '../guest/ranges-in-volume.ts';
import type { ChangedRange } from '../image/diff-snapshots.ts';
import { compareTrees } from './compare-trees.ts';
import { type ComparedVolume, comparedVolumes, type OpenGuest } from './compared-volumes.ts';
import type { FileChange } from './file-change.ts';
import { type KnownChanges, knownChanges } from './known-changes.ts';
import type { TreeSides, TreeStart } from './tree-files.ts';

/** How the files of two disks are compared. */
export interface DiffGuestsOptions {
  /** Where the disks differ, where that can be told more quickly than by reading all files; called once at most. */
  readonly ranges?: (() => Promise<readonly ChangedRange[]>) | undefined;
  /** Only what is at these paths, and below them. */
  readonly paths?: { readonly before: string; readonly after: string } | undefined;
  /** Whether it counts when content was changed; it does not, where nothing is given. */
  readonly times?: boolean | undefined;
  /** Whether files are looked for that were renamed, as they are where nothing is given. */
  readonly renames?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What differs between two disks. */
export interface GuestsDiff {
  readonly changes: readonly FileChange[];
  /** Bytes that differ where no file is compared: boot loaders, what is not known here. Undefined where that was not asked for. */
  readonly outside: readonly ChangedRange[] | undefined;
}

/**
 * The files that differ between two disks. The cost follows what differs where both have the same file systems at other
 * times, and their ranges are known. What is opened for that goes on the stack, which has to live as long as the changes.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`; `NOT_FOUND` where neither has the path; and the reason of the signal
 */
export async function diffGuests(
  before: OpenGuest,
  after: OpenGuest,
  stack: AsyncDisposableStack,
  options: DiffGuestsOptions = {},
): Promise<GuestsDiff> {
  const comparison = new GuestComparison(before, after, stack, options);
  if (options.paths !== undefined) return { changes: await comparison.comparePaths(options.paths), outside: undefined };
  return await comparison.compareAll();
}

/** Smaller files are compared at once, in bytes. */
const smallFile = 16 << 20;

type Volumes = { readonly before: ComparedVolume | undefined; readonly after: ComparedVolume | undefined };

class GuestComparison {
  readonly #before: OpenGuest;
  readonly #after: OpenGuest;
  readonly #stack: AsyncDisposableStack;
  readonly #options: DiffGuestsOptions;
  #ranges: Promise<IntervalSet> | undefined;

  constructor(before: OpenGuest, after: OpenGuest, stack: AsyncDisposableStack, options: DiffGuestsOptions) {
    this.#before = before;
    this.#after = after;
    this.#stack = stack;
    this.#options = options;
  }

  async compareAll(): Promise<GuestsDiff> {
    const changes: FileChange[] = [];
    for (const volumes of this.#pairs()) changes.push(...(await this.#compareVolumes(volumes)));
    return { changes, outside: await this.#outside() };
  }

  /** Compares what is at two paths, and the file systems that are mounted below. */
  async comparePaths({ before: pathA, after: pathB }: { before: string; after: string }): Promise<FileChange[]> {
    const fileA = await this.#before.guest.tree.find(pathA, { followLast: pathA.endsWith('/') });
    const fileB = await this.#after.guest.tree.find(pathB, { followLast: pathB.endsWith('/') });
    if (fileA === undefined && fileB === undefined) {
      const names = `${this.#before.label}:${pathA} nor ${this.#after.label}:${pathB}`;
      throw new VarveError('NOT_FOUND', `there is neither ${names}`);
    }
    const changes = await this.#compareFiles(fileA, fileB);
    for (const volumes of this.#pairs()) {
      const { isMounted, prefix } = (volumes.after ?? volumes.before)!;
      if (isMounted && isBelow(prefix, (fileB ?? fileA)!.path)) changes.push(...(await this.#compareVolumes(volumes)));
    }
    return changes;
  }

  #pairs(): Volumes[] {
    const [before, after] = [comparedVolumes(this.#before), comparedVolumes(this.#after)];
    const prefixes = [...new Set([...before.keys(), ...after.keys()])].sort();
    return prefixes.map((prefix) => ({ before: before.get(prefix), after: after.get(prefix) }));
  }

  async #compareVolumes({ before, after }: Volumes): Promise<FileChange[]> {
    if (before !== undefined && after !== undefined && (await this.#isUntouched(before, after))) return [];
    const [sideA, sideB] = [await before?.open(this.#stack), await after?.open(this.#stack)];
    const start = (side: FileSystem | undefined, volume: ComparedVolume | undefined) =>
      side && { path: volume!.prefix, node: side.root };
    const starts = { before: start(sideA, before), after: start(sideB, after) };
    // What only one of them can read counts as outside of files.
    if ((before !== undefined && sideA === undefined) || (after !== undefined && sideB === undefined)) return [];
    if (sideA === undefined && sideB === undefined) return [];
    return await this.#compareTrees(sideA, sideB, starts, { before, after });
  }

  async #compareFiles(fileA: GuestFile | undefined, fileB: GuestFile | undefined): Promise<FileChange[]> {
    const volumes = { before: this.#volumeOf(this.#before, fileA), after: this.#volumeOf(this.#after, fileB) };
    const start = { before: fileA, after: fileB };
    // What is soon read needs no look at what else changed.
    const isSmall = [fileA, fileB].every((file) => file?.kind !== 'directory' && (file?.stat.size ?? 0) <= smallFile);
    return await this.#compareTrees(fileA?.fileSystem, fileB?.fileSystem, start, isSmall ? undefined : volumes);
  }

  async #compareTrees(
    fileSystemA: FileSystem | undefined,
    fileSystemB: FileSystem | undefined,
    start: { readonly before: TreeStart | undefined; readonly after: TreeStart | undefined },
    volumes: Volumes | undefined,
  ): Promise<FileChange[]> {
    const sides = { before: (fileSystemA ?? fileSystemB)!, after: (fileSystemB ?? fileSystemA)! };
    const isOne = fileSystemA !== undefined && fileSystemB !== undefined && isSameIdentity(sides.before, sides.after);
    const known = isOne && volumes !== undefined ? await this.#known(sides, start, volumes) : undefined;
    // Only those that can tell their changes number files so that a file keeps its number.
    const isSame = isOne && sides.after.changesSince !== undefined;
    const { renames = true, times = false, signal } = this.#options;
    return await compareTrees(sides, start, { isSame, known, renames, times, signal });
  }

  /** Where devices differ tells only of file systems that lie in the same place. */
  async #known(
    sides: TreeSides,
    start: { readonly before: TreeStart | undefined; readonly after: TreeStart | undefined },
    volumes: Volumes,
  ): Promise<KnownChanges | undefined> {
    const { before, after } = volumes;
    if (before === undefined || after === undefined || this.#options.ranges === undefined) return undefined;
    if (!haveSamePlaces(before.volume, after.volume)) return undefined;
    const ranges = await this.#rangesIn(after);
    const tops = { before: start.before?.node ?? sides.before.root, after: start.after?.node ?? sides.after.root };
    return await knownChanges(sides, ranges, tops);
  }

  #volumeOf({ guest }: OpenGuest, file: GuestFile | undefined): ComparedVolume | undefined {
    if (file === undefined) return undefined;
    const side = guest === this.#before.guest ? this.#before : this.#after;
    const volumes = [...comparedVolumes(side).values()];
    const holding = volumes.filter(({ prefix }) => prefix === file.path || isBelow(file.path, prefix));
    return holding.sort((a, b) => b.prefix.length - a.prefix.length)[0];
  }

  async #isUntouched(before: ComparedVolume, after: ComparedVolume): Promise<boolean> {
    const [a, b] = [before.volume, after.volume];
    if (this.#options.ranges === undefined || !isSameIdentity(a, b) || !haveSamePlaces(a, b)) return false;
    return (await this.#rangesIn(after)).totalLength === 0;
  }

  /** Where a volume differs, counted from its start; all of it, where nobody knows where its bytes are. */
  async #rangesIn({ volume }: ComparedVolume): Promise<IntervalSet> {
    const all = new IntervalSet([{ offset: 0, end: volume.length }]);
    return rangesInVolume(volume, await this.#allRanges()) ?? all;
  }

  #allRanges(): Promise<IntervalSet> {
    this.#ranges ??= this.#options.ranges!().then(
      (ranges) => new IntervalSet(ranges.map(({ offset, length }) => ({ offset, end: offset + length }))),
    );
    return this.#ranges;
  }

  async #outside(): Promise<ChangedRange[] | undefined> {
    if (this.#ranges === undefined) return undefined;
    const outside = (await this.#allRanges()).clone();
    for (const { identity, length, placesOnDisk } of [...this.#before.guest.volumes, ...this.#after.guest.volumes]) {
      if (identity === undefined) continue;
      for (const { length: pieceLength, place } of placesOnDisk?.(0, length) ?? []) {
        if (place !== undefined) outside.remove(place, place + pieceLength);
      }
    }
    return Array.from(outside, ({ offset, end }) => ({ offset, length: end - offset }));
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '/' ? path.startsWith('/') && path !== '/' : path.startsWith(`${directory}/`);
}

/** Whether two are the same file system, at two times. */
function isSameIdentity(
  { identity: a }: Pick<GuestVolume, 'identity'>,
  { identity: b }: Pick<GuestVolume, 'identity'>,
): boolean {
  return a?.uuid !== undefined && a.uuid === b?.uuid && a.type === b.type;
}

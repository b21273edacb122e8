/** A directory of an index. Everything below it follows it at once, both among directories and among items. */
export interface UsageDirectory {
  /** Its path in the guest. */
  readonly path: string;
  /** 0 for the one that was measured. */
  readonly depth: number;
  /** Which directory it is in; -1 for the one that was measured. */
  readonly parentIndex: number;
  /** Its first item, which stands for itself; the files in it follow. */
  readonly firstItem: number;
  /** Where the files in it end. */
  ownEnd: number;
  /** Where the items of all below it end. */
  endItem: number;
  /** Where the directories below it end. */
  endDirectory: number;
}

/** What is added up of a directory and all below it. */
export interface UsageTotal {
  /** Bytes that count. */
  bytes: number;
  /** How many files count; directories are none. */
  files: number;
  /** Seconds since 1970: when what counts was last used, the longest ago and last; undefined where nothing counts. */
  oldest: number | undefined;
  newest: number | undefined;
}

/** Which items are added up; all, where nothing is given. */
export interface UsageCut {
  /** Only what was last used before then, in seconds since 1970. */
  readonly before?: number | undefined;
}

const firstCapacity = 1024;

/**
 * How large the files of a tree are and when they were last used: two numbers for each, in the order of the walk, so that ten
 * million files take 160 MB, and any directory's sum is one pass over neighbours.
 */
export class UsageIndex {
  readonly directories: readonly UsageDirectory[];
  readonly #directories: UsageDirectory[] = [];
  readonly #names: (string | undefined)[] | undefined;
  #sizes = new Float64Array(firstCapacity);
  #times = new Float64Array(firstCapacity);
  #itemCount = 0;

  /** With `keepsNames` files can be shown by themselves. */
  constructor(keepsNames: boolean) {
    this.directories = this.#directories;
    this.#names = keepsNames ? [] : undefined;
  }

  get keepsNames(): boolean {
    return this.#names !== undefined;
  }

  /** Adds a directory, which is inside `parentIndex` and comes after all that was added; its files are added next. */
  addDirectory(path: string, parentIndex: number, bytes: number, time: number): number {
    const firstItem = this.#itemCount;
    const depth = parentIndex < 0 ? 0 : this.#directories[parentIndex]!.depth + 1;
    const ends = { ownEnd: firstItem + 1, endItem: firstItem + 1, endDirectory: this.#directories.length + 1 };
    this.#addItem(bytes, time);
    return this.#directories.push({ path, depth, parentIndex, firstItem, ...ends }) - 1;
  }

  /** Adds a file to the directory that was added last. */
  addFile(name: string, bytes: number, time: number): void {
    if (this.#names !== undefined) this.#names[this.#itemCount] = name;
    this.#addItem(bytes, time);
    this.#directories.at(-1)!.ownEnd = this.#itemCount;
  }

  /**
   * Finds the ends of the directories, once all are added, and takes for the time of each the newest of all that is in it:
   * who reads a directory looks for a file, or only looks around.
   */
  finish(): void {
    for (let index = this.#directories.length - 1; index >= 0; index--) {
      const directory = this.#directories[index]!;
      directory.endItem = Math.max(directory.endItem, directory.ownEnd);
      const { endDirectory, endItem, firstItem, ownEnd, parentIndex } = directory;
      for (let item = firstItem + 1; item < ownEnd; item++) this.#raiseTime(firstItem, this.#times[item]!);
      const parent = this.#directories[parentIndex];
      if (parent === undefined) continue;
      parent.endItem = Math.max(parent.endItem, endItem);
      parent.endDirectory = Math.max(parent.endDirectory, endDirectory);
      this.#raiseTime(parent.firstItem, this.#times[firstItem]!);
    }
  }

  /** Bytes of an item. */
  sizeOf(item: number): number {
    return this.#sizes[item]!;
  }

  /** When an item was last used, in seconds since 1970. */
  timeOf(item: number): number {
    return this.#times[item]!;
  }

  /** A file's name, where names are kept. */
  nameOf(item: number): string {
    return this.#names?.[item] ?? '';
  }

  /** The directories right in one. */
  *children(directoryIndex: number): Iterable<number> {
    const { endDirectory } = this.#directories[directoryIndex]!;
    for (let index = directoryIndex + 1; index < endDirectory; index = this.#directories[index]!.endDirectory) {
      yield index;
    }
  }

  /** What each directory adds up to, by its index, in one pass. */
  totals({ before = Number.POSITIVE_INFINITY }: UsageCut = {}): UsageTotal[] {
    const totals = this.#directories.map(
      (): UsageTotal => ({ bytes: 0, files: 0, oldest: undefined, newest: undefined }),
    );
    for (let index = this.#directories.length - 1; index >= 0; index--) {
      const { firstItem, ownEnd, parentIndex } = this.#directories[index]!;
      const total = totals[index]!;
      for (let item = firstItem; item < ownEnd; item++) {
        const time = this.#times[item]!;
        if (time >= before) continue;
        const files = item === firstItem ? 0 : 1;
        addTotal(total, { bytes: this.#sizes[item]!, files, oldest: time, newest: time });
      }
      if (parentIndex >= 0) addTotal(totals[parentIndex]!, total);
    }
    return totals;
  }

  #addItem(bytes: number, time: number): void {
    if (this.#itemCount === this.#sizes.length) {
      this.#sizes = doubled(this.#sizes);
      this.#times = doubled(this.#times);
    }
    this.#sizes[this.#itemCount] = bytes;
    this.#times[this.#itemCount] = time;
    this.#itemCount += 1;
  }

  #raiseTime(item: number, time: number): void {
    if (this.#times[item]! < time) this.#times[item] = time;
  }
}

function addTotal(total: UsageTotal, { bytes, files, newest, oldest }: UsageTotal): void {
  total.bytes += bytes;
  total.files += files;
  if (oldest !== undefined) total.oldest = Math.min(total.oldest ?? oldest, oldest);
  if (newest !== undefined) total.newest = Math.max(total.newest ?? newest, newest);
}

function doubled(numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}

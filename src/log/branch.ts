/** What one call left behind. Shared between the branches below it and the errors that passed; only `printed` and `leftOut` change. */
export interface Entry {
  /** Never given twice, so that what was printed can be remembered without keeping it. */
  readonly id: number;
  readonly kind: 'scope' | 'message';
  /** How deep it stands, counted from the outermost scope: 1 is the top. */
  readonly level: number;
  /** printf-like; a scope's name, as it is. */
  readonly template: string;
  readonly values: readonly unknown[];
  /** When it was logged, in milliseconds since 1970. */
  readonly time: number;
  printed: boolean;
  /** How many messages after this one were dropped because its level grew too long. */
  leftOut: number;
}

/** A level that never starts over keeps its first message and this many of the newest, at least half of them. */
const maximumLevelLength = 64;

let lastId = 0;

/**
 * The messages of one scope: those that led to where it is now, and no others. A message at level k drops everything
 * deeper; level k itself starts over when something deeper was logged since, or when its first template comes again.
 *
 * A branch stands under the path its parent had when the scope was opened, and keeps that path whatever its parent
 * or its siblings log meanwhile. A finished scope leaves nothing but the fact that something deeper was logged.
 */
export class Branch {
  readonly children = new Set<Branch>();
  readonly #above: readonly Entry[];
  readonly #base: number;
  readonly #parent: Branch | undefined;
  readonly #entries: Entry[] = [];
  #lastLevel: number;
  /** Index of the first entry of the last level. */
  #levelStart = 0;

  /** The outermost branch, which has no name; `open` makes the others. */
  constructor(above: readonly Entry[] = [], parent?: Branch) {
    this.#above = above;
    this.#parent = parent;
    this.#base = above.at(-1)?.level ?? 0;
    this.#lastLevel = this.#base;
  }

  /** Hot: called for each silent message. `bench/log.ts` watches it. */
  add(level: number, template: string, values: readonly unknown[]): void {
    const depth = this.#base + level;
    const entries = this.#entries;
    if (depth > this.#lastLevel) this.#levelStart = entries.length;
    else if (depth < this.#lastLevel) this.#startOver(depth);
    else if (entries[this.#levelStart]?.template === template) entries.length = this.#levelStart;
    else if (entries.length - this.#levelStart > maximumLevelLength) this.#shorten();
    this.#lastLevel = depth;
    entries.push(newEntry('message', depth, template, values));
  }

  /** A branch for a scope inside this one, one level below everything logged so far. */
  open(name: string): Branch {
    const path = this.path();
    const level = (path.at(-1)?.level ?? this.#base) + 1;
    this.#lastLevel = level;
    this.#levelStart = this.#entries.length;
    const child = new Branch([...path, newEntry('scope', level, name, [])], this);
    this.children.add(child);
    return child;
  }

  /** The scope is over. */
  close(): void {
    this.#parent?.children.delete(this);
  }

  /** Everything that led here, outermost first. */
  path(): Entry[] {
    return [...this.#above, ...this.#entries];
  }

  /** Drops this level too: something deeper than it was logged. */
  #startOver(depth: number): void {
    const entries = this.#entries;
    let length = entries.length;
    while (length > 0 && entries[length - 1]!.level >= depth) length -= 1;
    entries.length = length;
    this.#levelStart = length;
  }

  #shorten(): void {
    const first = this.#entries[this.#levelStart]!;
    first.leftOut += this.#entries.splice(this.#levelStart + 1, maximumLevelLength / 2).length;
  }
}

function newEntry(kind: Entry['kind'], level: number, template: string, values: readonly unknown[]): Entry {
  lastId += 1;
  return { id: lastId, kind, level, template, values, time: Date.now(), printed: false, leftOut: 0 };
}

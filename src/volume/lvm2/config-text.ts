/*
 * The text in which LVM2 keeps its metadata:
 *
 *     name { key = value … }     sections, one inside the other
 *     key = 5                    a whole number
 *     key = "text"               \" and \\ stand for the character itself
 *     key = ["a", 0, "b"]        a list
 *     # …                        a comment, up to the end of its line
 *
 * Source: LVM2, lvm.conf(5) "SYNTAX" and what vgcfgbackup(8) writes.
 */
import { VarveError } from '../../base/varve-error.ts';

/** What a key stands for. */
export type ConfigValue = number | string | readonly (number | string)[];

/** A section: what its keys stand for, and the sections in it. */
export interface ConfigSection {
  readonly values: ReadonlyMap<string, ConfigValue>;
  readonly sections: ReadonlyMap<string, ConfigSection>;
}

/** LVM2 itself uses four. */
const deepest = 16;
const between = /\s+|#[^\n]*/uy;
const token = /"(?:[^"\\]|\\.)*"|[A-Za-z0-9_.+/@-]+|[{}=[\],]/suy;

/**
 * The sections and keys of a text; the outermost are returned as one section. `what` names it in errors.
 *
 * @throws VarveError `CORRUPT` where it is none
 */
export function parseConfigText(text: string, what: string): ConfigSection {
  const parser = new Parser(text, what);
  return parser.section(0);
}

class Parser {
  readonly #text: string;
  readonly #what: string;
  #position = 0;
  #next: string | undefined;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
    this.#advance();
  }

  section(depth: number): ConfigSection {
    if (depth > deepest) this.#fail(`has sections more than ${deepest} deep`);
    const values = new Map<string, ConfigValue>();
    const sections = new Map<string, ConfigSection>();
    while (this.#next !== undefined && this.#next !== '}') {
      const name = this.#take();
      if (/^["{}=[\],]/.test(name)) this.#fail(`has ${name} where a name should be`);
      const sign = this.#take();
      if (sign === '=') values.set(name, this.#value());
      else if (sign === '{') {
        sections.set(name, this.section(depth + 1));
        if (this.#take() !== '}') this.#fail('has a section without an end');
      } else this.#fail(`has ${sign} behind a name`);
    }
    if (this.#next !== undefined && depth === 0) this.#fail('ends a section that has not begun');
    return { values, sections };
  }

  #value(): ConfigValue {
    const first = this.#take();
    if (first !== '[') return this.#single(first);
    const list: (number | string)[] = [];
    for (let item = this.#take(); item !== ']'; item = this.#take()) if (item !== ',') list.push(this.#single(item));
    return list;
  }

  #single(item: string): number | string {
    if (item.startsWith('"')) return item.slice(1, -1).replace(/\\(.)/gsu, '$1');
    if (/^[{}=[\],]$/.test(item)) this.#fail(`has ${item} where a value should be`);
    const value = Number(item);
    if (Number.isNaN(value)) return item;
    if (/^-?\d+$/.test(item) && !Number.isSafeInteger(value)) this.#fail('has a number over 2^53');
    return value;
  }

  #take(): string {
    const taken = this.#next;
    if (taken === undefined) this.#fail('ends in the middle');
    this.#advance();
    return taken;
  }

  #advance(): void {
    while (this.#match(between) !== undefined);
    this.#next = this.#match(token);
    if (this.#next === undefined && this.#position < this.#text.length) {
      this.#fail('has what is neither a name nor a value');
    }
  }

  /** What of a kind stands here; goes on behind it. */
  #match(kind: RegExp): string | undefined {
    kind.lastIndex = this.#position;
    const match = kind.exec(this.#text)?.[0];
    this.#position += match?.length ?? 0;
    return match;
  }

  #fail(why: string): never {
    throw new VarveError('CORRUPT', `cannot read ${this.#what}: it ${why}, at byte ${this.#position}`);
  }
}

import { parseDuration } from '../../base/duration.ts';
import { parseSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';

/**
 * What stands behind the `=` of a filter: values and `key=value`, with commas between; a comma in one is written twice.
 * Whatever is wrong with them is VarveError `INVALID`, which names the filter, the argument and what is allowed.
 */
export class FilterArguments {
  readonly #filter: string;
  readonly #usage: string;
  readonly #values: string[] = [];
  readonly #named = new Map<string, string>();

  /** `usage` says what is allowed: `delay=TIME`. */
  constructor(filter: string, text: string | undefined, usage: string) {
    this.#filter = filter;
    this.#usage = usage;
    for (const word of text === undefined ? [] : wordsOf(text)) {
      const [, key, value = ''] = /^([a-z][a-z-]*)=(.*)$/s.exec(word) ?? [];
      if (key === undefined) this.#values.push(word);
      else if (this.#named.has(key)) throw this.invalid(`${key} is given twice`);
      else this.#named.set(key, value);
    }
  }

  /** The next value without a key, if there is one. */
  value(): string | undefined {
    return this.#values.shift();
  }

  /** All values without a key. */
  values(): string[] {
    return this.#values.splice(0);
  }

  /** The value of a key, if it is given. */
  named(key: string): string | undefined {
    const value = this.#named.get(key);
    this.#named.delete(key);
    return value;
  }

  /** All of it as one text, not to be left out. */
  whole(text: string | undefined): string {
    this.#values.length = 0;
    this.#named.clear();
    return this.required(text);
  }

  /** What is not to be left out. */
  required(text: string | undefined): string {
    if (text === undefined || text === '') throw this.invalid('something is missing');
    return text;
  }

  /** A size, in bytes. */
  size(text: string | undefined, minimum = 0): number | undefined {
    return this.#read(text, (each) => {
      const size = parseSize(each);
      return size >= minimum ? size : undefined;
    });
  }

  /** A rate, in bytes a second: a size, with `/s` behind it or not. */
  rate(text: string | undefined): number | undefined {
    return this.size(text?.replace(/\/s$/, ''), 1);
  }

  /** A time, in milliseconds; at most a day. */
  duration(text: string | undefined): number | undefined {
    return this.#read(text, (each) => {
      const durationMs = parseDuration(each);
      return durationMs <= 86_400_000 ? durationMs : undefined;
    });
  }

  /** A whole number. */
  count(text: string | undefined, minimum = 0): number | undefined {
    return this.#read(text, (each) => (/^\d{1,9}$/.test(each) && Number(each) >= minimum ? Number(each) : undefined));
  }

  /** `1%`, `0.5%`: as a number from 0 to 1. */
  share(text: string | undefined): number | undefined {
    return this.#read(text, (each) => {
      const percent = Number(/^(\d{1,3}(?:\.\d{1,9})?)%$/.exec(each)?.[1] ?? 'none');
      return percent <= 100 ? percent / 100 : undefined;
    });
  }

  /** One of the names in `choices`. */
  choice<T>(text: string | undefined, choices: Readonly<Record<string, T>>): T | undefined {
    return this.#read(text, (each) => (Object.hasOwn(choices, each) ? choices[each] : undefined));
  }

  /** To be called when everything that is known is taken. */
  finish(): void {
    const [value] = this.#values;
    const [key] = this.#named.keys();
    if (value !== undefined) throw this.invalid(`nobody knows what ${JSON.stringify(value)} means`);
    if (key !== undefined) throw this.invalid(`it has no ${JSON.stringify(key)}`);
  }

  /** The error for what is wrong with the arguments. */
  invalid(why: string, cause?: unknown): VarveError {
    const what = `cannot use --filter ${this.#filter}: ${why}`;
    return new VarveError('INVALID', `${what}; write ${this.#usage}`, { cause });
  }

  #read<T>(text: string | undefined, read: (text: string) => T | undefined): T | undefined {
    if (text === undefined) return undefined;
    try {
      const value = read(text);
      if (value !== undefined) return value;
    } catch (cause) {
      throw this.invalid((cause as Error).message, cause);
    }
    throw this.invalid(`${JSON.stringify(text)} cannot be`);
  }
}

function wordsOf(text: string): string[] {
  const marked = text.replaceAll(',,', '\0');
  return marked.split(',').map((word) => word.replaceAll('\0', ','));
}

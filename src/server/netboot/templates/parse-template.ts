import { type Problem, problemAt } from './template-problem.ts';

/** What may be done to a value before it is put in. */
export const filters = ['shell', 'base64', 'uri', 'literal'] as const;

/** `shell`: as one word of a shell; `base64`; `uri`: as in a URI; `literal`: a number, `true` or `false`, unquoted. */
export type Filter = (typeof filters)[number];

/** A place in a template where a value comes. */
export interface ValuePlace {
  /** `machine.name`, `secret.root` */
  readonly name: string;
  readonly filter: Filter | undefined;
  /** Of the template, counted from 1. */
  readonly line: number;
}

/** A template, taken apart: texts, with a place between each of them and the next. */
export interface ParsedTemplate {
  /** One more than there are places. */
  readonly texts: readonly string[];
  readonly places: readonly ValuePlace[];
}

// {{ name }} or {{ name | filter }} on one line; \{{ stands for {{ itself.
const opening = /\\?\{\{/g;
const inside = /^\{\{[ \t]*([A-Za-z]+\.[A-Za-z0-9_-]+)[ \t]*(?:\|[ \t]*([a-z0-9]+)[ \t]*)?\}\}/;

/** Takes a template apart; what is no place that can be read goes to `onProblem`. */
export function parseTemplate(text: string, onProblem: (problem: Problem) => void): ParsedTemplate {
  const texts: string[] = [];
  const places: ValuePlace[] = [];
  const lines = new LineCounter(text);
  let before = '';
  let end = 0;
  for (const { 0: mark, index } of text.matchAll(opening)) {
    if (index < end) continue;
    before += text.slice(end, index);
    end = index + mark.length;
    if (mark.startsWith('\\')) {
      before += '{{';
      continue;
    }
    const line = lines.lineOf(index);
    const [whole, name, filter] = inside.exec(text.slice(index, index + 200)) ?? [];
    if (whole === undefined || !isFilter(filter)) {
      const why = whole === undefined ? 'no {{ name }} that can be read' : `no filter ${filter}: ${filters.join(', ')}`;
      onProblem(problemAt(line, `there is ${why}; write \\{{ where {{ is meant itself`));
      continue;
    }
    texts.push(before);
    places.push({ name: name!, filter, line });
    before = '';
    end = index + whole.length;
  }
  return { texts: [...texts, before + text.slice(end)], places };
}

/** The template with `values[i]` at place i. */
export function fillIn({ texts, places }: ParsedTemplate, values: readonly string[]): string {
  return places.reduce((text, _, index) => text + values[index] + texts[index + 1], texts[0]!);
}

function isFilter(text: string | undefined): text is Filter | undefined {
  return text === undefined || filters.some((filter) => filter === text);
}

/** Lines of places that come one after the other. */
class LineCounter {
  readonly #text: string;
  #offset = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  lineOf(offset: number): number {
    for (; this.#offset < offset; this.#offset += 1) if (this.#text[this.#offset] === '\n') this.#line += 1;
    return this.#line;
  }
}

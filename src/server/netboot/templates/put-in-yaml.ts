import { isDeepStrictEqual } from 'node:util';
import { type Document, isScalar, LineCounter, type ParsedNode, parseDocument, type Scalar, visit } from 'yaml';
import { fillIn, type ParsedTemplate } from './parse-template.ts';
import { isLiteral } from './put-in-json.ts';
import { type Problem, problemAt } from './template-problem.ts';

/** cloud-init reads YAML 1.1. What errors quote of the text is left out, as there may be a secret in it. */
const options = { version: '1.1', prettyErrors: false, logLevel: 'error', strict: true } as const;

/** What a YAML template gives. */
export interface RenderedYaml {
  readonly text: string;
  /** What a reader of it gets. */
  readonly data: unknown;
}

/**
 * The template with its values, in YAML. The template is first read with a harmless word in each place: that shows in
 * what kind of text each stands, and so how its value is written. The outcome must then read as the same structure with
 * the values in place of the words, so that no value becomes anything else than a text.
 */
export function putInYaml(
  template: ParsedTemplate,
  values: readonly string[],
  onProblem: (problem: Problem) => void,
): RenderedYaml | undefined {
  const words = placeWords(template, values);
  const outline = fillIn(template, words);
  const lines = new LineCounter();
  const document = parseDocument(outline, { ...options, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    onProblem(problemAt(lines.linePos(error.pos[0]).line, yamlProblem(error.code)));
    return undefined;
  }
  const scalars: Scalar[] = [];
  visit(document, { Scalar: (_, node) => void scalars.push(node) });
  const escaped = writeValues(template, values, words, new Outline(outline, scalars), onProblem);
  if (escaped === undefined) return undefined;
  const text = fillIn(template, escaped);
  const rendered = parseDocument(text, options);
  const wanted = withValues(toData(document), words, values, template);
  const data = rendered.errors.length === 0 ? toData(rendered) : undefined;
  if (isDeepStrictEqual(data, wanted)) return { text, data };
  onProblem(problemAt(undefined, explainDifference(template, values, words)));
  return undefined;
}

/** Reads YAML as cloud-init does; undefined where it is none. */
export function readYaml(text: string): unknown {
  const document = parseDocument(text, options);
  return document.errors.length === 0 ? toData(document) : undefined;
}

/** Aliases of aliases are not followed for ever; what has too many is nothing. */
function toData(document: Document<ParsedNode>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    return undefined;
  }
}

/** Words that stand neither in the template nor in a value, none of them the beginning of another. */
function placeWords({ texts, places }: ParsedTemplate, values: readonly string[]): string[] {
  let stem = 'place';
  while ([...texts, ...values].some((text) => text.includes(stem))) stem += 'x';
  return places.map((_, index) => `${stem}${index}z`);
}

/** Where the places of a template stand, as a reader of YAML has it. */
class Outline {
  readonly #text: string;
  readonly #scalars: readonly Scalar[];

  constructor(text: string, scalars: readonly Scalar[]) {
    this.#text = text;
    this.#scalars = scalars.filter(({ range }) => range);
  }

  styleAt(word: string): { readonly style: string; readonly isWhole: boolean; readonly indentation: string } {
    const offset = this.#text.indexOf(word);
    const scalar = this.#scalars.find(({ range }) => range![0] <= offset && offset < range![1]);
    const line = this.#text.slice(this.#text.lastIndexOf('\n', offset) + 1, offset);
    const [indentation] = /^ */.exec(line)!;
    return {
      style: isScalar(scalar) ? (scalar.type ?? 'PLAIN') : 'COMMENT',
      isWhole: scalar?.value === word,
      indentation,
    };
  }
}

function writeValues(
  { places }: ParsedTemplate,
  values: readonly string[],
  words: readonly string[],
  outline: Outline,
  onProblem: (problem: Problem) => void,
): string[] | undefined {
  let isGood = true;
  const refuse = (line: number, message: string): string => {
    isGood = false;
    onProblem(problemAt(line, message));
    return '';
  };
  const written = places.map(({ name, filter, line }, index) => {
    const value = values[index]!;
    const { style, isWhole, indentation } = outline.styleAt(words[index]!);
    if (filter === 'literal') {
      if (style === 'PLAIN' && isWhole && isLiteral(value)) return value;
      return refuse(line, `the value of ${name} is no number, true or false, or does not stand alone`);
    }
    if (style === 'QUOTE_DOUBLE') return quoted(value).slice(1, -1);
    if (style === 'PLAIN' && isWhole) return quoted(value);
    if (style === 'BLOCK_LITERAL') return value.replaceAll('\n', `\n${indentation}`);
    if (/[\p{Cc}\u2028\u2029]/u.test(value)) {
      return refuse(line, `the value of ${name} has more than one line; put it in double quotes, or below a |`);
    }
    return style === 'QUOTE_SINGLE' ? value.replaceAll("'", "''") : value;
  });
  return isGood ? written : undefined;
}

/** In double quotes. What other readers take for the end of a line, or for nothing, is escaped. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function withValues(
  data: unknown,
  words: readonly string[],
  values: readonly string[],
  { places }: ParsedTemplate,
): unknown {
  const put = (text: string): unknown => {
    const index = words.indexOf(text);
    if (index >= 0 && places[index]!.filter === 'literal') return JSON.parse(values[index]!);
    return words.reduce((whole, word, each) => whole.replaceAll(word, () => values[each]!), text);
  };
  const walk = (item: unknown): unknown => {
    if (typeof item === 'string') return put(item);
    if (Array.isArray(item)) return item.map(walk);
    if (item === null || typeof item !== 'object' || Object.getPrototypeOf(item) !== Object.prototype) return item;
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [String(put(key)), walk(value)]));
  };
  return walk(data);
}

/** Which value it is that breaks the outline: the first one that does so alone. */
function explainDifference(template: ParsedTemplate, values: readonly string[], words: readonly string[]): string {
  const names = [...new Set(template.places.map(({ name }) => name))];
  const breaking = names.length === 1 ? names[0]! : undefined;
  const which = breaking ?? (names.find((name) => breaksAlone(template, values, words, name)) || names.join(', '));
  return `the value of ${which} would mean something in YAML where it stands; put it in double quotes`;
}

function breaksAlone(
  template: ParsedTemplate,
  values: readonly string[],
  words: readonly string[],
  name: string,
): boolean {
  const mixed = values.map((value, index) => (template.places[index]!.name === name ? value : words[index]!));
  const outline = fillIn(template, words);
  const document = parseDocument(outline, options);
  const rendered = parseDocument(fillIn(template, mixed), options);
  const wanted = withValues(toData(document), words, mixed, template);
  return rendered.errors.length > 0 || !isDeepStrictEqual(toData(rendered), wanted);
}

/** Our words for the library's codes, as its messages quote the text. */
function yamlProblem(code: string): string {
  const words: Readonly<Record<string, string>> = {
    TAB_AS_INDENT: 'YAML is indented by blanks, and here is a tab',
    BAD_INDENT: 'this is not indented as what stands above it',
    DUPLICATE_KEY: 'this name stands here twice',
    MISSING_CHAR: 'something is missing here, such as a quote, a colon or a bracket',
    MULTIPLE_DOCS: 'here begins a second document, and there may be one only',
    BAD_ALIAS: 'this alias stands for nothing',
    UNEXPECTED_TOKEN: 'this cannot stand here',
    BLOCK_AS_IMPLICIT_KEY: 'a list or map cannot stand on the line of its name',
    MULTILINE_IMPLICIT_KEY: 'a colon is missing, or a line is indented wrongly',
  };
  return `this is no YAML that can be read: ${words[code] ?? code.toLowerCase().replaceAll('_', ' ')}`;
}

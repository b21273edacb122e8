import { isVarveError } from '../../../base/varve-error.ts';
import { nearestWord } from './nearest-word.ts';
import type { Problems } from './problems.ts';
import type { RoomNode } from './room-node.ts';

/** Reads one value; undefined, with the problem noted, where it cannot. */
export type Reader<T> = (node: RoomNode, problems: Problems) => T | undefined;

/** What a map's fields are read by. */
type Shape = Readonly<Record<string, Reader<unknown>>>;

/** What a shape's readers found; a field that is missing or wrong is undefined. */
export type FieldsOf<S extends Shape> = {
  readonly [K in keyof S]: S[K] extends Reader<infer T> ? T | undefined : never;
};

/** Reads a map whose fields have names that are known. Other names are problems. */
export function fieldsOf<S extends Shape>(node: RoomNode, shape: S, problems: Problems): FieldsOf<S> {
  const found: Record<string, unknown> = {};
  const known = Object.keys(shape);
  if (node.kind !== 'map') problems.add(node, `is ${quoted(node)}; it needs keys: ${known.join(', ')}`);
  else {
    for (const [name, value] of node.fields) {
      if (Object.hasOwn(shape, name)) found[name] = shape[name]!(value, problems);
      else problems.add(value, `is no key that is known here; ${meant(name, known)}`);
    }
  }
  return found as FieldsOf<S>;
}

/** The field of a map that is one; undefined where there is none. */
export function nodeAt(node: RoomNode, name: string): RoomNode | undefined {
  return node.kind === 'map' ? node.fields.get(name) : undefined;
}

/** Reads a text by a function that throws where it cannot. */
export function textBy<T>(parse: (text: string) => T): Reader<T> {
  return (node, problems) => {
    if (node.kind !== 'text') return problems.add(node, `is ${quoted(node)}; it has to be a single value`);
    if (node.text === '') return problems.add(node, 'is empty');
    try {
      return parse(node.text);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      return problems.add(node, `is wrong: ${error.message}`);
    }
  };
}

/** One of some words. */
export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (node, problems) => {
    if (node.kind === 'text' && (words as readonly string[]).includes(node.text)) return node.text as T;
    return problems.add(node, `is ${quoted(node)}; it is one of ${words.join(', ')}`);
  };
}

/** A list, or one of what would be in it. Items that are wrong are left out. */
export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (node, problems) => {
    const items = node.kind === 'list' ? node.items : [node];
    return items.map((item) => reader(item, problems)).filter((item) => item !== undefined);
  };
}

/** The node itself, to be looked at later. */
export const anything: Reader<RoomNode> = (node) => node;

/** What a node says, for messages. */
function quoted(node: RoomNode): string {
  if (node.kind !== 'text') return node.kind === 'list' ? 'a list' : 'a group of keys';
  return JSON.stringify(node.text.length > 60 ? `${node.text.slice(0, 60)}…` : node.text);
}

/** Which of the known names is likely to be meant, or all of them. */
export function meant(name: string, known: readonly string[]): string {
  const nearest = nearestWord(name, known);
  if (nearest !== undefined) return `is ${nearest} meant?`;
  return known.length === 0 ? 'there is none' : `there are ${known.join(', ')}`;
}

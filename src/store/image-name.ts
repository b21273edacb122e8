import { VarveError } from '../base/varve-error.ts';

const maximumLength = 128;
/** What most names are: the shape below takes 1 ms to compile. */
const plainShape = /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/;
const shape = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._+-]*$/u;

/** Whether `text` can name an image. */
export function isImageName(text: string): boolean {
  const hasShape = plainShape.test(text) || shape.test(text);
  return hasShape && !text.includes('..') && Buffer.byteLength(text) <= maximumLength;
}

/**
 * An image's name in its one spelling (Unicode NFC).
 * @throws INVALID when it cannot be one
 */
export function imageName(text: string): string {
  const name = text.normalize('NFC');
  if (isImageName(name)) return name;
  throw new VarveError('INVALID', `${quoted(text)} cannot name an image: ${nameRule}`);
}

/** Whether `text` can be a tag: a name that is not a number. */
export function isTagName(text: string): boolean {
  return isImageName(text) && !/^\d+$/.test(text);
}

/** A tag in its one spelling. @throws INVALID when `text` cannot be one */
export function tagName(text: string): string {
  const name = text.normalize('NFC');
  if (isTagName(name)) return name;
  throw new VarveError('INVALID', `${quoted(text)} cannot be a tag: ${nameRule}, and not a number`);
}

const nameRule = 'use letters, digits, ".", "_", "+" and "-", not ".." and at most 128 bytes';

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** Which snapshot of an image is meant: the newest, a number, a tag, or a prefix of its id. */
export type SnapshotSelector =
  | { readonly kind: 'newest' }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'id'; readonly prefix: string };

/** `web`, `web@3`, `web@before-upgrade` or `web@{hash prefix}`, taken apart. */
export interface SnapshotReference {
  readonly image: string;
  readonly selector: SnapshotSelector;
}

/** @throws INVALID when `text` is no such reference */
export function parseReference(text: string): SnapshotReference {
  const at = text.indexOf('@');
  if (at < 0) return { image: imageName(text), selector: { kind: 'newest' } };
  return { image: imageName(text.slice(0, at)), selector: parseSelector(text.slice(at + 1), text) };
}

function parseSelector(text: string, whole: string): SnapshotSelector {
  if (/^[1-9]\d{0,14}$/.test(text)) return { kind: 'number', number: Number(text) };
  const prefix = /^\{([0-9a-f]{4,64})\}$/i.exec(text)?.[1];
  if (prefix !== undefined) return { kind: 'id', prefix: prefix.toLowerCase() };
  const tag = text.normalize('NFC');
  if (isTagName(tag)) return { kind: 'tag', tag };
  throw new VarveError(
    'INVALID',
    `${quoted(whole)} names no snapshot: write IMAGE@3, IMAGE@TAG or IMAGE@{hash prefix of 4 digits or more}`,
  );
}

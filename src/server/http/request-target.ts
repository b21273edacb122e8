import { VarveError } from '../../base/varve-error.ts';

/** A character that no file's name needs, and that would be a line of its own in somebody's log. */
const controls = /\p{Cc}/u;

/**
 * The name of a file that a request's target names (RFC 9112, section 3.2), without the first `/` and without a query.
 *
 * @throws VarveError `INVALID` for bad escapes, bytes that are no UTF-8, control characters, slashes that are escaped and
 *   `..`: a client that means well resolves these itself (RFC 3986, section 5.2.4)
 */
export function nameOfTarget(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
  const [escaped = ''] = path.split(/[?#]/, 1);
  if (!escaped.startsWith('/')) throw refusal(target, 'it does not begin with a /');
  if (/%(2f|5c)/i.test(escaped)) throw refusal(target, 'a slash in it is escaped');
  const name = decode(escaped.slice(1), target);
  if (controls.test(name)) throw refusal(target, 'there are control characters in it');
  if (name.split(/[\\/]/).includes('..')) throw refusal(target, 'there is a .. in it');
  return name;
}

function decode(escaped: string, target: string): string {
  try {
    return decodeURIComponent(escaped);
  } catch {
    throw refusal(target, 'what is escaped in it is no UTF-8');
  }
}

function refusal(target: string, why: string): VarveError {
  return new VarveError('INVALID', `${JSON.stringify(target.slice(0, 200))} names no file: ${why}`);
}

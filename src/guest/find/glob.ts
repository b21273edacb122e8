import { VarveError } from '../../base/varve-error.ts';

/** One character of a pattern: what it matches. A star matches any number of any. */
type Token = 'star' | ((character: string) => boolean);

/**
 * What tells whether a whole text fits a shell pattern: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a character that means
 * itself. A `/` and a leading `.` are like any other. It takes at most the product of both lengths in steps.
 *
 * Source: POSIX.1-2017, Shell & Utilities, 2.13 (the notation).
 *
 * @throws VarveError `INVALID` for a pattern that ends in the middle
 */
export function globMatcher(
  pattern: string,
  { ignoreCase = false }: { readonly ignoreCase?: boolean } = {},
): (text: string) => boolean {
  const folded = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const tokens = tokensOf([...folded(pattern)], pattern);
  return (text) => matches(tokens, [...folded(text)]);
}

function tokensOf(characters: readonly string[], pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*') {
      if (tokens.at(-1) !== 'star') tokens.push('star');
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[' && closing(characters, at) > 0) {
      const end = closing(characters, at);
      tokens.push(setToken(characters.slice(at + 1, end)));
      at = end;
    } else {
      if (character === '\\') at += 1;
      const wanted = characters[at];
      if (wanted === undefined) {
        throw new VarveError(
          'INVALID',
          `cannot read ${JSON.stringify(pattern)} as a pattern: it ends with a backslash`,
        );
      }
      tokens.push((found) => found === wanted);
    }
  }
  return tokens;
}

/** Where the set that begins at `start` ends; 0 where it does not, and the bracket means itself. */
function closing(characters: readonly string[], start: number): number {
  const isNegated = characters[start + 1] === '!' || characters[start + 1] === '^';
  // A bracket that stands first is a member.
  const end = characters.indexOf(']', start + (isNegated ? 3 : 2));
  return Math.max(0, end);
}

function setToken(members: readonly string[]): Token {
  const isNegated = members[0] === '!' || members[0] === '^';
  const ranges: (readonly [from: number, to: number])[] = [];
  for (let at = isNegated ? 1 : 0; at < members.length; at++) {
    const from = members[at]!.codePointAt(0)!;
    const isRange = members[at + 1] === '-' && at + 2 < members.length;
    ranges.push([from, isRange ? members[at + 2]!.codePointAt(0)! : from]);
    if (isRange) at += 2;
  }
  return (character) => {
    const code = character.codePointAt(0)!;
    return ranges.some(([from, to]) => code >= from && code <= to) !== isNegated;
  };
}

/** After a mismatch only the last star takes one character more: what the ones before it took can stay. */
function matches(tokens: readonly Token[], characters: readonly string[]): boolean {
  let [token, at] = [0, 0];
  let [afterStar, starAt] = [-1, 0];
  while (at < characters.length) {
    const next = tokens[token];
    if (next === 'star') {
      [afterStar, starAt] = [token + 1, at];
      token += 1;
    } else if (next?.(characters[at]!)) {
      token += 1;
      at += 1;
    } else if (afterStar >= 0) {
      starAt += 1;
      [token, at] = [afterStar, starAt];
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === 'star');
}

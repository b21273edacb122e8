/** What one character has to be; `any` stands for any number of them. */
type Token = 'any' | ((character: string) => boolean);

/**
 * Whether a name fits a pattern of `*`, `?` and `[a-z]`. Takes at most the product of the two lengths, whatever the pattern:
 * it comes from strangers.
 *
 * Source: glob(7); only the last `*` need ever be tried again.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const tokens = pattern.split(/(\*+|\?|\[!?\]?[^\]]*\])/).flatMap(tokensOf);
  return (name) => {
    let at = 0;
    let token = 0;
    let star = -1;
    let starAt = 0;
    while (at < name.length) {
      const wanted = tokens[token];
      if (wanted === 'any') {
        star = token++;
        starAt = at;
      } else if (wanted?.(name[at]!)) {
        at += 1;
        token += 1;
      } else {
        if (star < 0) return false;
        token = star + 1;
        at = ++starAt;
      }
    }
    while (tokens[token] === 'any') token += 1;
    return token === tokens.length;
  };
}

function tokensOf(part: string): Token[] {
  if (part.startsWith('*')) return ['any'];
  if (part === '?') return [() => true];
  if (part.length > 2 && part.startsWith('[') && part.endsWith(']')) return [classToken(part.slice(1, -1))];
  return [...part].map((each) => (character: string) => character === each);
}

function classToken(inner: string): Token {
  const isNegated = inner.startsWith('!') && inner.length > 1;
  const ranges = [...(isNegated ? inner.slice(1) : inner).matchAll(/(.)-(.)|(.)/gs)].map(([, from, to, single]) => [
    single ?? from!,
    single ?? to!,
  ]);
  return (character) => ranges.some(([from, to]) => character >= from! && character <= to!) !== isNegated;
}

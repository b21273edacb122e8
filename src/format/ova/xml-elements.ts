/** An element of an XML text, by its local names: prefixes of name spaces are left out. */
export interface XmlElement {
  readonly name: string;
  /** The name of the element around it; empty for the outermost. */
  readonly parent: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Deeper elements are passed over. */
const maximumDepth = 64;

/**
 * The elements of an XML text that is taken as well formed: what is not is passed over, and each character is looked at
 * a few times at most. Character data, comments, declarations and the like are left out; entities of a document type
 * are not replaced.
 *
 * Source: W3C, Extensible Markup Language 1.0, sections 2 and 3.
 */
export function* xmlElements(text: string): Generator<XmlElement, undefined> {
  const open: string[] = [];
  for (let position = text.indexOf('<'); position !== -1; position = text.indexOf('<', position)) {
    const special = skipSpecial(text, position);
    if (special !== undefined) {
      position = special;
      continue;
    }
    const end = endOfTag(text, position);
    const isClosing = text[position + 1] === '/';
    const isEmpty = text[end - 2] === '/';
    if (isClosing) open.pop();
    else {
      const [, name = ''] = /^<([^\s/>]{0,100})/.exec(text.slice(position, position + 101)) ?? [];
      const local = localName(name);
      const attributes = attributesOf(text.slice(position + 1 + name.length, end - 1));
      if (open.length < maximumDepth) yield { name: local, parent: open.at(-1) ?? '', attributes };
      if (!isEmpty) open.push(local);
    }
    position = end;
  }
}

/** Where a comment, a CDATA section, a processing instruction or a declaration ends that starts at `position`. */
function skipSpecial(text: string, position: number): number | undefined {
  for (const [start, end] of [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
    ['<!', '>'],
  ] as const) {
    if (!text.startsWith(start, position)) continue;
    const found = text.indexOf(end, position + start.length);
    return found === -1 ? text.length : found + end.length;
  }
  return undefined;
}

/** After the `>` of a tag, which may also stand in its quoted values. */
function endOfTag(text: string, position: number): number {
  for (let at = position; at < text.length; at += 1) {
    const character = text[at];
    if (character === '>') return at + 1;
    if (character !== '"' && character !== "'") continue;
    const close = text.indexOf(character, at + 1);
    if (close === -1) return text.length;
    at = close;
  }
  return text.length;
}

/** The attributes in a tag, each up to the quote that ends its value. */
function attributesOf(tag: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (let position = 0; ; ) {
    const sign = tag.indexOf('=', position);
    if (sign === -1) return attributes;
    const start =
      sign + 1 + (tag.slice(sign + 1, sign + 20).length - tag.slice(sign + 1, sign + 20).trimStart().length);
    const quote = tag[start];
    const end = quote === '"' || quote === "'" ? tag.indexOf(quote, start + 1) : -1;
    if (end === -1) return attributes;
    attributes.set(localName(tag.slice(position, sign).trim()), unescaped(tag.slice(start + 1, end)));
    position = end + 1;
  }
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(value: string): string {
  return value.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hexadecimal, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

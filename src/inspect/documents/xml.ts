/** An element of XML, its children, and nothing else of what XML has. */
export interface XmlElement {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[] | string;
}

/** An element; children that are undefined are left out. */
export function element(
  name: string,
  children: readonly (XmlElement | undefined)[] | string,
  attributes?: Readonly<Record<string, string>>,
): XmlElement {
  const there = typeof children === 'string' ? children : children.filter((child) => child !== undefined);
  return { name, children: there, ...(attributes && { attributes }) };
}

/** An element with text in it; undefined without a text. */
export function textElement(name: string, text: string | number | undefined): XmlElement | undefined {
  return text === undefined ? undefined : element(name, String(text));
}

/** An XML document in UTF-8, indented by two blanks. */
export function formatXml(root: XmlElement): string {
  return `<?xml version="1.0"?>\n${linesOf(root, '').join('\n')}`;
}

function linesOf({ name, attributes = {}, children }: XmlElement, indent: string): string[] {
  const given = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  const start = `${indent}<${name}${given.join('')}`;
  if (typeof children === 'string') return [`${start}>${escapeXml(children)}</${name}>`];
  if (children.length === 0) return [`${start}/>`];
  return [`${start}>`, ...children.flatMap((child) => linesOf(child, `${indent}  `)), `${indent}</${name}>`];
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/**
 * Text as it may stand in XML 1.0: characters that may not at all become U+FFFD, those that a terminal would obey are written
 * as numbers.
 *
 * Source: XML 1.0, 2.2 Char.
 */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, (character) => entities[character]!)
    .replace(/[\r\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, numberOf);
}

function numberOf(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}

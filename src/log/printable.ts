/**
 * What a terminal would obey instead of show, or show as something else: control characters, and the marks that turn
 * the direction of writing. Names of files and images come from strangers.
 */
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** What nearly all is made of, and soon seen to be: 10,000 snapshots are shown in a moment (`npm run bench list`). */
const plain = /^[\x20-\x7e]*$/;
const plainLines = /^[\n\x20-\x7e]*$/;

const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** `text` on one line, with everything escaped that is no visible character: `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unsafe, (character) => names[character] ?? escapeCode(character));
}

/**
 * `json` with the same characters as JSON escapes, which mean the same to its reader; the ends of its lines stay, as
 * they are none of what it says.
 */
export function printableJson(json: string): string {
  if (plainLines.test(json)) return json;
  return json.replace(unsafe, (character) => (character === '\n' ? character : `\\u${hex(character, 4)}`));
}

function escapeCode(character: string): string {
  return character.charCodeAt(0) < 0x100 ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}

import { printable } from '../../log/printable.ts';

/** A name or path from inside a disk, for people: what a terminal would obey is escaped, and so are bytes that are no UTF-8. */
export function nameText(name: string): string {
  const text = printable(name);
  return text.isWellFormed() ? text : text.replace(/[\udc80-\udcff]/gu, escapeByte);
}

function escapeByte(character: string): string {
  return `\\x${(character.charCodeAt(0) - 0xdc00).toString(16)}`;
}

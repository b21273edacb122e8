import { printable } from '../../log/printable.ts';

/** A text of several lines with nothing in it that a terminal would obey; tabs and the ends of lines stay. */
export function safeText(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

import { nameText } from './name-text.ts';

/** A text as a field among others, with what a terminal would obey as escapes. Source: RFC 4180 (quoting). */
export function csvField(field: string): string {
  const text = nameText(field);
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

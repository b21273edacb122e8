import { format } from 'node:util';
import type { Entry } from './branch.ts';

/** An entry's line: its template with its values. Only called when it is printed; a value that cannot be shown is named, never thrown. */
export function entryText(entry: Entry): string {
  const text = entry.kind === 'scope' ? entry.template : formatMessage(entry.template, entry.values);
  return entry.leftOut === 0 ? text : `${text} (and ${entry.leftOut} more, left out here)`;
}

/** Fills in `%s`, `%d`, `%j` and what else `util.format` knows. A template without values stands as it is. */
export function formatMessage(template: string, values: readonly unknown[]): string {
  try {
    return values.length === 0 ? template : format(template, ...values);
  } catch (error) {
    return `${template} (its values cannot be printed: ${errorText(error)})`;
  }
}

/** What to say of anything that was thrown, in one line. */
export function errorText(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    return error.message === '' ? error.name : error.message;
  } catch {
    return 'something that cannot be printed was thrown';
  }
}

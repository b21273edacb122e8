/** One record of a control file: its fields by their names in lower case. */
export interface Stanza {
  /** The line that it begins on, from 1. */
  readonly line: number;
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * The records of a control file, one after the other; lines that are no fields are left out. Only fields in `wanted` (lower
 * case) are kept. Continuation lines keep their line ends and lose the first blank.
 *
 * Source: deb822(5).
 */
export function* readStanzas(text: string, wanted: ReadonlySet<string>): Generator<Stanza> {
  let fields = new Map<string, string>();
  let field: string | undefined;
  let hasAny = false;
  let first = 1;
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    number += 1;
    const code = text.charCodeAt(start);
    if (end === start) {
      if (hasAny) yield { line: first, fields: trimmed(fields) };
      fields = new Map();
      field = undefined;
      hasAny = false;
    } else if (code === 0x20 || code === 0x09) {
      // Continued values may be long: they are only put together where somebody wants them.
      if (field !== undefined) fields.set(field, `${fields.get(field)}\n${text.slice(start + 1, end)}`);
    } else {
      if (!hasAny) first = number;
      hasAny = true;
      const line = text.slice(start, end);
      const colon = line.indexOf(':');
      const name = colon < 0 ? '' : line.slice(0, colon).toLowerCase();
      field = wanted.has(name) ? name : undefined;
      if (field !== undefined) fields.set(field, line.slice(colon + 1).trimStart());
    }
    start = end + 1;
  }
  if (hasAny) yield { line: first, fields: trimmed(fields) };
}

/** Blanks at the end of a value are none of it; those at the ends of its other lines are. */
function trimmed(fields: Map<string, string>): Map<string, string> {
  for (const [name, value] of fields) fields.set(name, value.trimEnd());
  return fields;
}

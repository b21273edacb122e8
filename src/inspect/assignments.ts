/** A variable that a file of shell assignments sets. */
export interface Assignment {
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/**
 * The variables that a file of shell assignments sets: `NAME=value`, `export NAME="value"`; the last one of a name counts.
 * Nothing is expanded.
 *
 * Source: os-release(5).
 */
export function parseAssignments(text: string): Map<string, Assignment> {
  const assignments = new Map<string, Assignment>();
  for (const [index, line] of text.split('\n').entries()) {
    const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(line) ?? [];
    if (name !== undefined) assignments.set(name, { value: unquoted(value!.trim()), line: index + 1 });
  }
  return assignments;
}

function unquoted(value: string): string {
  const single = /^'([^']*)'/.exec(value);
  if (single) return single[1]!;
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(value);
  if (double) return double[1]!.replace(/\\(["\\$`])/g, '$1');
  return value.replace(/\s#.*$/s, '').trimEnd();
}

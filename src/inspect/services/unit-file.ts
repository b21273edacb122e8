/** A section of a unit file: its settings, each with all its values in order. */
export type UnitSection = ReadonlyMap<string, readonly string[]>;

/**
 * A file of systemd's settings, by sections. Lines end with `\` where they go on; an empty value takes back those before it.
 *
 * Source: systemd.syntax(7).
 */
export function parseUnitFile(text: string): ReadonlyMap<string, UnitSection> {
  const sections = new Map<string, Map<string, string[]>>();
  let section: Map<string, string[]> | undefined;
  let held = '';
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line.startsWith('#') || line.startsWith(';')) continue;
    if (line.endsWith('\\')) {
      held += `${line.slice(0, -1)} `;
      continue;
    }
    const whole = held + line;
    held = '';
    const title = /^\[(.+)\]$/s.exec(whole)?.[1];
    if (title !== undefined) {
      section = sections.get(title) ?? new Map();
      sections.set(title, section);
      continue;
    }
    const equals = whole.indexOf('=');
    if (section === undefined || equals <= 0) continue;
    const name = whole.slice(0, equals).trim();
    const value = whole.slice(equals + 1).trim();
    const values = section.get(name);
    if (value === '' || values === undefined) section.set(name, value === '' ? [] : [value]);
    else values.push(value);
  }
  return sections;
}

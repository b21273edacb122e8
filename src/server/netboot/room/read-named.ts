import type { Reader } from './fields.ts';

/** Values that have names of the user's own. */
export const readNamed: Reader<Readonly<Record<string, string>>> = (node, problems) => {
  if (node.kind !== 'map') return problems.add(node, 'has to have a name for each of them');
  const values: [string, string][] = [];
  for (const [name, value] of node.fields) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) problems.add(value, 'is no name: use letters, digits and "_"');
    else if (value.kind !== 'text') problems.add(value, 'has to be a single value');
    else if (value.text.includes('\0')) problems.add(value, 'has a character that is no text');
    else values.push([name, value.text]);
  }
  return Object.fromEntries(values);
};

import { printable } from '../../log/printable.ts';

/** Lines of `name: value`, values aligned; what is `undefined` is left out. */
export function formatFields(fields: readonly (readonly [name: string, value: string | undefined])[]): string {
  const given = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(...given.map(([name]) => name.length)) + 1;
  return given.map(([name, value = '']) => `${`${name}:`.padEnd(width)}  ${printable(value)}`.trimEnd()).join('\n');
}

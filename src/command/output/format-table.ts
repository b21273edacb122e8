import { printable } from '../../log/printable.ts';
import { displayWidth } from './display-width.ts';

/** A column's heading, and to which side its cells stand. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Lines of aligned columns under their headings. Nothing is cut; what a terminal would obey is escaped. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, index) => maximum(lines.map((line) => displayWidth(line[index] ?? ''))));
  return lines.map((line) => formatLine(columns, widths, line)).join('\n');
}

function formatLine(columns: readonly Column[], widths: readonly number[], line: readonly string[]): string {
  const cells = columns.map(({ align }, index) => {
    const text = line[index] ?? '';
    const padding = ' '.repeat((widths[index] as number) - displayWidth(text));
    return align === 'right' ? padding + text : text + padding;
  });
  return cells.join('  ').trimEnd();
}

/** Without spreading: a table may have more rows than a call may have arguments. */
function maximum(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}

import { printable } from '../../log/printable.ts';

/** The line of a message that stands for it in tables. */
export function firstLine(message: string): string {
  const end = message.indexOf('\n');
  return end < 0 ? message : message.slice(0, end);
}

/** A message as a block of its own: an empty line, then its lines, indented. None for an empty message. */
export function messageBlock(message: string): string[] {
  if (message === '') return [];
  return ['', ...message.split('\n').map((line) => `    ${printable(line)}`.trimEnd())];
}

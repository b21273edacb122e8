import { printable } from '../../log/printable.ts';
import { referenceOf } from '../../store/image-table.ts';
import type { PendingNote } from '../../store/overlay/overlay-table.ts';
import { localTime } from './local-time.ts';
import { firstLine, messageBlock } from './message-lines.ts';

/** A snapshot that is made and being stored, as `--json` prints it: without what is only known in the end. */
export function pendingJson(image: string, { number, tag, time, message, author }: PendingNote): object {
  const tags = tag === undefined ? [] : [tag];
  const reference = referenceOf({ image, number });
  return { reference, image, number, tags, time: new Date(time).toISOString(), message, author, pending: true };
}

/** The same as `varve log` prints it, in one line or with a line between it and the next. */
export function pendingLines(image: string, note: PendingNote, isOneLine = false): string {
  const { author, message, number, tag, time } = note;
  const heading = `${referenceOf({ image, number })} (${[...(tag === undefined ? [] : [tag]), 'being stored'].join(', ')})`;
  if (isOneLine) return `${heading}  ${localTime(time)}  ${printable(firstLine(message))}`.trimEnd();
  const lines = [heading, `Time:    ${localTime(time)}`, `Author:  ${printable(author)}`];
  return `${[...lines, ...messageBlock(message)].join('\n')}\n`;
}

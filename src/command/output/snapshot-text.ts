import { formatSize } from '../../base/size.ts';
import { printable } from '../../log/printable.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { SnapshotStatistics } from '../../store/manifest.ts';
import { localTime } from './local-time.ts';
import { firstLine, messageBlock } from './message-lines.ts';

/** A snapshot as `varve log` prints it. `origin` is named where it was made from another one than the one before. */
export function snapshotLines(snapshot: Snapshot, origin: Snapshot | undefined): string[] {
  const { time, author, size, message, statistics } = snapshot;
  const lines = [
    heading(snapshot),
    `Time:    ${localTime(time)}`,
    `Author:  ${printable(author)}`,
    `Size:    ${formatSize(size)}, ${newText(statistics)}`,
  ];
  if (origin !== undefined) lines.push(`From:    ${referenceOf(origin)}`);
  return [...lines, ...messageBlock(message)];
}

/** The same in one line: what it is, when, and how its message begins. */
export function snapshotOneLine(snapshot: Snapshot): string {
  return `${heading(snapshot)}  ${localTime(snapshot.time)}  ${printable(firstLine(snapshot.message))}`.trimEnd();
}

function newText({ addedLength, storedLength }: SnapshotStatistics): string {
  if (addedLength === 0) return 'nothing new';
  return `${formatSize(addedLength)} new, stored in ${formatSize(storedLength)}`;
}

function heading(snapshot: Snapshot): string {
  const { tags } = snapshot;
  return tags.length === 0 ? referenceOf(snapshot) : `${referenceOf(snapshot)} (${tags.join(', ')})`;
}

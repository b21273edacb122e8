import { formatSize } from '../base/size.ts';
import { diffDisks } from '../image/diff-disks.ts';
import type { ChangedRange } from '../image/diff-snapshots.ts';
import type { Disk } from '../image/open-disk.ts';
import type { CommandContext } from './framework/command-context.ts';
import { uncommittedChanges } from './framework/uncommitted-changes.ts';
import { exactSize } from './output/exact-size.ts';
import { formatTable } from './output/format-table.ts';
import { plural } from './output/plural.ts';

/** Shows the ranges in which two disks differ. @returns whether they are identical */
export async function showRanges(context: CommandContext, a: Disk, b: Disk, signal: AbortSignal): Promise<boolean> {
  const ranges = await diffDisks(a, b, { signal });
  const changedBytes = ranges.reduce((sum, range) => sum + range.length, 0);
  const identical = ranges.length === 0 && a.device.size === b.device.size;
  context.show({ a: sideJson(a), b: sideJson(b), identical, changedBytes, ranges }, () =>
    [...sizeLines(a, b), ...rangeLines(ranges), totalLine(a, b, identical, changedBytes, ranges)].join('\n'),
  );
  return identical;
}

/** Shows the ranges of an image that its changes in no snapshot touch. @returns the exit status */
export async function showUncommitted(context: CommandContext, name: string, exitCode = false): Promise<number> {
  await using store = await context.openStore();
  const image = store.images.get(name);
  const ranges = await uncommittedChanges(store, name);
  const changedBytes = ranges.reduce((sum, range) => sum + range.length, 0);
  context.show({ image: image.name, identical: ranges.length === 0, changedBytes, ranges }, () =>
    ranges.length === 0
      ? `${image.name} has no uncommitted changes.`
      : [...rangeLines(ranges), `${formatSize(changedBytes)} uncommitted, in ${plural(ranges.length, 'range')}.`].join(
          '\n',
        ),
  );
  return exitCode && ranges.length > 0 ? 1 : 0;
}

/** Shows where a machine has written since it booted. @returns whether it has not */
export function showChangedRanges(context: CommandContext, machine: string, ranges: readonly ChangedRange[]): boolean {
  const changedBytes = ranges.reduce((sum, range) => sum + range.length, 0);
  const identical = ranges.length === 0;
  context.show({ machine, identical, changedBytes, ranges }, () =>
    identical
      ? `${machine} has written nothing.`
      : [
          ...rangeLines(ranges),
          `${machine} wrote to ${formatSize(changedBytes)}, in ${plural(ranges.length, 'range')}.`,
        ].join('\n'),
  );
  return identical;
}

/** A side of a comparison, for programs. */
export function sideJson({ label, device }: Disk): object {
  return { disk: label, size: device.size };
}

function sizeLines(a: Disk, b: Disk): string[] {
  if (a.device.size === b.device.size) return [];
  return [`The disk's size changed from ${exactSize(a.device.size)} to ${exactSize(b.device.size)}.`];
}

const columns = [
  { title: 'OFFSET', align: 'right' },
  { title: 'LENGTH', align: 'right' },
  { title: '', align: 'right' },
] as const;

function rangeLines(ranges: readonly ChangedRange[]): string[] {
  const rows = ranges.map(({ offset, length }) => [String(offset), String(length), formatSize(length)]);
  return rows.length === 0 ? [] : [formatTable(columns, rows)];
}

function totalLine(
  a: Disk,
  b: Disk,
  identical: boolean,
  changedBytes: number,
  ranges: readonly ChangedRange[],
): string {
  const names = `${a.label} and ${b.label}`;
  if (identical) return `${names} are identical.`;
  if (ranges.length === 0) return `${names} differ in nothing else.`;
  return `${names} differ in ${formatSize(changedBytes)}, in ${plural(ranges.length, 'range')}.`;
}

import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { type ChangedRange, diffSnapshots } from '../image/diff-snapshots.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { formatTable } from './output/format-table.ts';
import { plural } from './output/plural.ts';

interface Options {
  readonly exitCode?: boolean;
}

/** `varve diff A B`: where two snapshots differ. */
export const diffCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve diff web@3 web', 'what changed in web since its third snapshot'],
    ['varve diff --exit-code web test', 'ends with status 1 when they differ'],
  ],
  completes: ['snapshot', 'snapshot'],
  configure: (command: Command) =>
    command
      .argument('<a>', 'a snapshot: web@3, web@TAG, or web for its newest')
      .argument('<b>', 'another one, of the same image or not')
      .option('--exit-code', 'end with status 1 when they differ'),
  async run(context, [referenceA, referenceB], options) {
    const signal = await context.startWork();
    await using store = await context.openStore();
    const [a, b] = store.catalog.read(() => [store.images.resolve(referenceA), store.images.resolve(referenceB)]);
    const ranges: ChangedRange[] = [];
    for await (const range of diffSnapshots(store, a, b, signal)) ranges.push(range);
    const changedBytes = ranges.reduce((sum, range) => sum + range.length, 0);
    const identical = ranges.length === 0 && a.size === b.size;
    const sides = { a: sideJson(a), b: sideJson(b) };
    context.show({ ...sides, identical, changedBytes, ranges }, () =>
      [...sizeLines(a, b), ...rangeLines(ranges), totalLine(a, b, identical, changedBytes, ranges)].join('\n'),
    );
    return options.exitCode && !identical ? 1 : 0;
  },
};

function sideJson(snapshot: Snapshot): object {
  return { reference: referenceOf(snapshot), size: snapshot.size };
}

function sizeLines(a: Snapshot, b: Snapshot): string[] {
  if (a.size === b.size) return [];
  return [`The disk's size changed from ${a.size} (${formatSize(a.size)}) to ${b.size} (${formatSize(b.size)}).`];
}

function rangeLines(ranges: readonly ChangedRange[]): string[] {
  if (ranges.length === 0) return [];
  const rows = ranges.map(({ offset, length }) => [String(offset), String(length), formatSize(length)]);
  return [
    formatTable(
      [
        { title: 'OFFSET', align: 'right' },
        { title: 'LENGTH', align: 'right' },
        { title: '', align: 'right' },
      ],
      rows,
    ),
  ];
}

function totalLine(
  a: Snapshot,
  b: Snapshot,
  identical: boolean,
  changedBytes: number,
  ranges: readonly ChangedRange[],
): string {
  const names = `${referenceOf(a)} and ${referenceOf(b)}`;
  if (identical) return `${names} are identical.`;
  if (ranges.length === 0) return `${names} differ in nothing else.`;
  return `${names} differ in ${formatSize(changedBytes)}, in ${plural(ranges.length, 'range')}.`;
}

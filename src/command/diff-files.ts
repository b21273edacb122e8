import { formatSize } from '../base/size.ts';
import type { OpenGuest } from '../changes/compared-volumes.ts';
import { type DiffGuestsOptions, diffGuests } from '../changes/diff-guests.ts';
import type { ComparedFile, FileChange } from '../changes/file-change.ts';
import type { Meaning } from '../changes/meaning/meaning-of.ts';
import { diffDisks } from '../image/diff-disks.ts';
import type { ChangedRange } from '../image/diff-snapshots.ts';
import type { Disk } from '../image/open-disk.ts';
import { sideJson } from './diff-ranges.ts';
import type { CommandContext } from './framework/command-context.ts';
import { changesJson, changesTable, kindNames, namesOf, printPatches } from './output/file-changes.ts';
import { formatTable } from './output/format-table.ts';
import { longMeaning, shortMeaning } from './output/meaning-text.ts';
import { nameText } from './output/name-text.ts';
import { plural } from './output/plural.ts';

/** What is compared, and what of it is shown. */
export interface ShowFilesOptions extends Pick<DiffGuestsOptions, 'paths' | 'renames' | 'times'> {
  readonly before: OpenGuest;
  readonly after: OpenGuest;
  readonly disks: readonly [Disk, Disk];
  /** Of an image and what of it is in no snapshot: which, and where that is. */
  readonly uncommitted?: { readonly image: string; readonly ranges: readonly ChangedRange[] };
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
  readonly patch?: boolean;
  readonly stat?: boolean;
  readonly meaning?: boolean;
}

/** Shows the files that differ between two disks. @returns whether nothing does */
export async function showFiles(context: CommandContext, options: ShowFilesOptions): Promise<boolean> {
  const { before, after, disks, stack, signal, paths, renames, times } = options;
  const ranges = async () => options.uncommitted?.ranges ?? (await diffDisks(...disks, { signal }));
  const { changes, outside } = await diffGuests(before, after, stack, { ranges, paths, renames, times, signal });
  const meaning = await meaningIn(options, changes, context.json);
  const outsideBytes = lengthOf(outside ?? []);
  const identical = changes.length === 0 && outsideBytes === 0;
  if (context.json) await showJson(context, options, { changes, outside, identical, meaning });
  else if (options.patch) await printPatches(changes);
  else {
    const isShort = !options.meaning;
    if (changes.length > 0 && isShort) context.print(options.stat ? await statTable(changes) : changesTable(changes));
    const meant = meaning === undefined ? [] : isShort ? shortMeaning(meaning) : longMeaning(meaning);
    context.print([...meant, ...outsideLines(outsideBytes), summary(options, changes, identical)].join('\n'));
  }
  return identical;
}

/** Of a part of a disk it is not asked what it means. */
async function meaningIn(
  options: ShowFilesOptions,
  changes: readonly FileChange[],
  isJson: boolean,
): Promise<Meaning | undefined> {
  const { before, after, meaning, patch, paths } = options;
  if (paths !== undefined || patch) return undefined;
  const { meaningOf } = await import('../changes/meaning/meaning-of.ts');
  const parts = { before: before.guest.tree, after: after.guest.tree };
  return await meaningOf(parts, changes, { withConfiguration: meaning === true || isJson });
}

function lengthOf(ranges: readonly ChangedRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}

interface Shown {
  readonly changes: readonly FileChange[];
  readonly outside: readonly ChangedRange[] | undefined;
  readonly identical: boolean;
  readonly meaning: Meaning | undefined;
}

async function showJson(context: CommandContext, options: ShowFilesOptions, shown: Shown): Promise<void> {
  const changes = await changesJson(shown.changes, options.patch ?? false);
  const [a, b] = options.disks;
  const { identical, meaning, outside } = shown;
  const { uncommitted } = options;
  const known = uncommitted && { ...uncommitted, changedBytes: lengthOf(uncommitted.ranges) };
  context.show({ a: sideJson(a), b: sideJson(b), identical, ...known, changes, meaning, outside }, () => '');
}

const statColumns = [
  { title: 'BEFORE', align: 'right' },
  { title: 'AFTER', align: 'right' },
  { title: 'LINES', align: 'right' },
  { title: 'FILE' },
] as const;

async function statTable(changes: readonly FileChange[]): Promise<string> {
  const { lineChanges } = await import('../changes/text-patch.ts');
  const rows: string[][] = [];
  for (const change of changes) {
    const lines = await lineChanges(change);
    const counts = lines === undefined ? '' : `+${lines.added.length} -${lines.deleted.length}`;
    rows.push([sizeOf(change.before), sizeOf(change.after), counts, namesOf(change)]);
  }
  return formatTable(statColumns, rows);
}

function sizeOf(file: ComparedFile | undefined): string {
  if (file === undefined) return '-';
  return file.stat.kind === 'file' ? formatSize(file.stat.size) : kindNames[file.stat.kind];
}

function outsideLines(bytes: number): string[] {
  if (bytes === 0) return [];
  return [
    `${formatSize(bytes)} differ where no files are: boot loaders, or what is not known here (--ranges shows where).`,
  ];
}

function summary(
  { before, after, paths }: ShowFilesOptions,
  changes: readonly FileChange[],
  identical: boolean,
): string {
  const labels = [before, after].map(({ label }, index) => {
    const path = paths && [paths.before, paths.after][index];
    return path === undefined ? label : `${label}:${nameText(path)}`;
  });
  const names = labels.join(' and ');
  if (changes.length === 0) return identical ? `${names} hold the same files.` : `The files of ${names} are the same.`;
  const kinds = ['added', 'deleted', 'modified', 'renamed'] as const;
  const counts = kinds
    .map((kind) => [changes.filter((change) => change.kind === kind).length, kind] as const)
    .filter(([count]) => count > 0);
  const list = counts.map(([count, kind]) => `${count} ${kind}`).join(', ');
  return `${names} differ in ${plural(changes.length, 'file')}: ${list}.`;
}

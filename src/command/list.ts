import { type Command, Option } from 'commander';
import { formatSize } from '../base/size.ts';
import { isVarveError } from '../base/varve-error.ts';
import type { AttachedDiskState } from '../server/attach/attached-disk.ts';
import type { Snapshot } from '../store/image-table.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { attachmentJson } from './output/attachment-json.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';
import { firstLine } from './output/message-lines.ts';
import { naturalOrder } from './output/natural-order.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options {
  readonly sort: 'name' | 'time' | 'size';
  readonly reverse?: boolean;
  readonly attached?: boolean;
}

interface Row {
  readonly name: string;
  readonly snapshotCount: number;
  readonly newest: Snapshot;
  /** The numbers of snapshots that are being stored. */
  readonly pending: readonly number[];
}

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'SNAPSHOTS', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'TIME' },
  { title: 'MESSAGE' },
];

const orders = {
  name: (a: Row, b: Row) => naturalOrder(a.name, b.name),
  time: (a: Row, b: Row) => b.newest.time - a.newest.time || naturalOrder(a.name, b.name),
  size: (a: Row, b: Row) => b.newest.size - a.newest.size || naturalOrder(a.name, b.name),
};

/** `varve list`: every image, with the size of its disk and the time and message of its newest snapshot. */
export const listCommand: CommandModule<[], Options> = {
  examples: [
    ['varve list', 'every image, by name: web9 before web10'],
    ['varve list --sort time', 'the one that changed last comes first'],
    ['varve list --attached', 'which disks are attached, and where they are mounted'],
    ['varve list --json | jq -r .[].name', 'names for a script'],
  ],
  configure: (command: Command) =>
    command
      .addOption(
        new Option('--sort <order>', 'name, time (newest first) or size (largest first)')
          .choices(['name', 'time', 'size'])
          .default('name'),
      )
      .option('-r, --reverse', 'the other way round')
      .option('--attached', 'the disks that are attached, of the store or not'),
  async run(context, _args, options) {
    if (options.attached) return await listAttached(context);
    const rows = await readRows(context);
    rows.sort(orders[options.sort]);
    if (options.reverse) rows.reverse();
    context.show(
      () => rows.map(rowJson),
      () => (rows.length === 0 ? '' : formatTable(columns, rows.map(cells))),
    );
    if (rows.length === 0)
      context.remark(`the store ${context.storePath} holds no images; varve import DISK brings one in`);
  },
};

const attachedColumns: readonly Column[] = [
  { title: 'PATH' },
  { title: 'DISK' },
  { title: 'SIZE', align: 'right' },
  { title: 'ACCESS' },
  { title: 'MOUNTED ON' },
];

async function listAttached(context: CommandContext): Promise<void> {
  const { attachedDisks } = await import('../server/attach/attached-disk.ts');
  const disks = attachedDisks(await currentRunPath(context));
  const cellsOf = ({ attachment, loops, mounts }: AttachedDiskState): string[] => {
    const { access, disk, nbd, path, size } = attachment;
    const targets = mounts.map(({ target }) => target).join(' ');
    const device = nbd === undefined ? loops[0]?.path : undefined;
    return [device ?? path, disk, formatSize(size), access, targets];
  };
  context.show(
    () => disks.map(attachmentJson),
    () => (disks.length === 0 ? '' : formatTable(attachedColumns, disks.map(cellsOf))),
  );
}

/** Where there is no store yet there are no images: whoever looks for the first time is told how to begin. */
async function readRows(context: CommandContext): Promise<Row[]> {
  try {
    await using store = await context.openStore();
    const [images, newest] = store.catalog.read(() => [store.images.all(), store.images.newest()]);
    return images.map(({ id, name, snapshotCount }) => ({
      ...{ name, snapshotCount, newest: newest.get(name) as Snapshot },
      pending: store.overlays.pending(id).map(({ number }) => number),
    }));
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

function cells({ name, snapshotCount, newest, pending }: Row): string[] {
  const { size, time, message } = newest;
  const more = pending.length === 0 ? '' : ` + ${pending.length} being stored`;
  return [name, `${snapshotCount}${more}`, formatSize(size), localTime(time), firstLine(message)];
}

function rowJson({ name, snapshotCount, newest, pending }: Row): object {
  return { name, snapshotCount, pending, size: newest.size, newest: snapshotJson(newest) };
}

import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { diskArgument } from '../image/disk-argument.ts';
import { withFileHint } from '../image/file-hint.ts';
import { findSnapshot } from '../image/find-snapshot.ts';
import { hexOf } from '../store/chunk.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addFilterOption, readFilters } from './input/filter-option.ts';
import { exactSize } from './output/exact-size.ts';
import { formatFields } from './output/format-fields.ts';
import { localTime } from './output/local-time.ts';
import { messageBlock } from './output/message-lines.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options {
  readonly format?: string;
  readonly chain?: boolean;
  readonly filter?: readonly string[];
}

/** `varve info DISK` */
export const infoCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve info web@3', 'what is known of a snapshot: ids, sizes, what it was made from'],
    ['varve info ./disk.qcow2', 'what a disk file says of itself'],
    ['varve info ./disk.qcow2 --chain', 'and the files that it builds on'],
    ['varve info ./disk.img --filter partition=2', 'how large a partition is, through a filter'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addFilterOption(command)
      .argument('<disk>', 'web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…')
      .option('--format <name>', 'read a disk file in this format, whatever its content looks like')
      .option('--chain', 'also tell of the files that it builds on, down to the last'),
  async run(context, [argument], { chain, filter, format }) {
    const filters = await readFilters(filter);
    if (filters !== undefined) {
      if (chain)
        throw new VarveError('INVALID', '--chain tells of files, and --filter of what is seen of a disk; give one');
      const { showFiltered } = await import('./info-filtered.ts');
      return await showFiltered(context, argument, { filters, format });
    }
    const disk = diskArgument(argument);
    if (disk.kind === 'snapshot') {
      await showSnapshot(context, disk.reference).catch((error) => {
        throw withFileHint(argument, error);
      });
    } else {
      const { showChain, showFile } = await import('./info-file.ts');
      if (chain) await showChain(context, argument, format);
      else await showFile(context, argument, format);
    }
  },
};

async function showSnapshot(context: CommandContext, reference: string): Promise<void> {
  await using store = await context.openStore();
  const snapshot = store.images.resolve(reference);
  const { snapshotCount } = store.images.get(snapshot.image);
  const parent = snapshot.parent === undefined ? undefined : findSnapshot(store, snapshot.parent);
  const madeFrom = parent === undefined ? null : referenceOf(parent);
  context.show({ kind: 'snapshot', ...snapshotJson(snapshot), madeFrom, imageSnapshotCount: snapshotCount }, () =>
    [formatFields(fieldsOf(snapshot, parent, snapshotCount)), ...messageBlock(snapshot.message)].join('\n'),
  );
}

function fieldsOf(snapshot: Snapshot, parent: Snapshot | undefined, count: number): [string, string | undefined][] {
  const { image, number, tags, id, root, size, time, author, statistics } = snapshot;
  return [
    ['Snapshot', `${image}@${number} (of ${count})`],
    ['Tags', tags.length === 0 ? undefined : tags.join(', ')],
    ['Made from', parentText(snapshot, parent)],
    ['Time', localTime(time)],
    ['Author', author],
    ['Disk size', exactSize(size)],
    ['Data', exactSize(statistics.dataLength)],
    ['New data', `${exactSize(statistics.addedLength)}, which the store did not have`],
    ['Stored in', exactSize(statistics.storedLength)],
    ['Id', hexOf(id)],
    ['Content', hexOf(root)],
  ];
}

function parentText(snapshot: Snapshot, parent: Snapshot | undefined): string | undefined {
  if (parent !== undefined) return referenceOf(parent);
  return snapshot.parent === undefined ? undefined : `${hexOf(snapshot.parent).slice(0, 16)}…, which was removed`;
}

import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { measureStore, type StoreMeasure } from '../image/measure-store.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { formatFields } from './output/format-fields.ts';
import { localTime } from './output/local-time.ts';
import { plural } from './output/plural.ts';

/** `varve status [IMAGE]` */
export const statusCommand: CommandModule<[string | undefined]> = {
  examples: [
    ['varve status', 'where the store is, what it holds and takes, and who is at work in it'],
    ['varve status web', 'what of web is in no snapshot, and who has it open'],
  ],
  completes: ['image'],
  configure: (command: Command) => command.argument('[image]', 'the image to look at, instead of the store'),
  async run(context: CommandContext, [image]) {
    await using store = await context.openStore();
    if (image !== undefined) {
      const { showImageStatus } = await import('./status-image.ts');
      return await showImageStatus(context, store, image);
    }
    const measure = measureStore(store);
    const { path, readOnly } = store;
    context.show({ path, readOnly, ...measure, leases: measure.leases.map(leaseJson) }, () =>
      formatFields([
        ['Store', readOnly ? `${path} (read-only)` : path],
        ['Images', `${measure.imageCount}, ${formatSize(measure.diskBytes)} of disks`],
        ['Snapshots', String(measure.snapshotCount)],
        [
          'Packs',
          `${formatSize(measure.packBytes)} in ${plural(measure.packCount, 'file')}, ${plural(measure.chunkCount, 'chunk')}`,
        ],
        ['Catalog', formatSize(measure.catalogBytes)],
        ['Leftovers', leftoverText(measure)],
        ...measure.leases.map((lease): [string, string] => [
          'At work',
          `${lease.purpose} (process ${lease.pid}, since ${localTime(lease.created)})`,
        ]),
      ]),
    );
  },
};

function leaseJson({ kind, purpose, pid, created }: StoreMeasure['leases'][number]): object {
  return { kind, purpose, pid, since: new Date(created).toISOString() };
}

function leftoverText({ leftoverCount, leftoverBytes, leases }: StoreMeasure): string | undefined {
  if (leftoverCount === 0) return undefined;
  const what = `${formatSize(leftoverBytes)} in ${plural(leftoverCount, 'file')}`;
  return leases.length > 0
    ? `${what}, of work under way or cut off`
    : `${what}, of work that was cut off; varve gc deletes them`;
}

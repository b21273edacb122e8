import type { Command } from 'commander';
import { hexOf } from '../store/chunk.ts';
import { parseReference } from '../store/image-name.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { parseCount } from './input/count.ts';
import { snapshotJson } from './output/snapshot-json.ts';
import { snapshotLines, snapshotOneLine } from './output/snapshot-text.ts';

interface Options {
  readonly maxCount?: number;
  readonly oneline?: boolean;
}

/** `varve log IMAGE`: an image's snapshots, the newest first. */
export const logCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve log web', 'all snapshots of web, the newest first'],
    ['varve log web --oneline -n 10', 'the last ten, one line each'],
    ['varve log web@before-upgrade', 'that one and those before it'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) =>
    command
      .argument('<image>', 'an image, or the snapshot to begin with')
      .option('-n, --max-count <count>', 'no more than so many', parseCount)
      .option('--oneline', 'one line for each snapshot'),
  async run(context, [reference], options) {
    await using store = await context.openStore();
    const all = store.images.snapshots(parseReference(reference).image);
    const { number: last } = store.images.resolve(reference);
    const shown = all.filter(({ number }) => number <= last).reverse();
    const snapshots = shown.slice(0, options.maxCount ?? shown.length);
    context.show(snapshots.map(snapshotJson), () => {
      if (options.oneline) return snapshots.map(snapshotOneLine).join('\n');
      const known = new Map(all.map((snapshot) => [hexOf(snapshot.id), snapshot]));
      return snapshots.map((snapshot) => snapshotLines(snapshot, originOf(snapshot, known)).join('\n')).join('\n\n');
    });
  },
};

/** The snapshot it was made from, where that is another one of the image than the one before. */
function originOf(snapshot: Snapshot, known: ReadonlyMap<string, Snapshot>): Snapshot | undefined {
  const parent = snapshot.parent === undefined ? undefined : known.get(hexOf(snapshot.parent));
  return parent !== undefined && parent.number < snapshot.number - 1 ? parent : undefined;
}

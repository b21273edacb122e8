import type { Command } from 'commander';
import { localDiskArgument } from '../image/disk-argument.ts';
import { hexOf, sameName } from '../store/chunk.ts';
import { parseReference } from '../store/image-name.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { parseCount } from './input/count.ts';
import { pendingJson, pendingLines } from './output/pending-text.ts';
import { snapshotJson } from './output/snapshot-json.ts';
import { snapshotLines, snapshotOneLine } from './output/snapshot-text.ts';

interface Options extends ChainFlags {
  readonly maxCount?: number;
  readonly oneline?: boolean;
}

/** `varve log DISK`: an image's snapshots, or a disk file and what it builds on, the newest first. */
export const logCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve log web', 'all snapshots of web, the newest first'],
    ['varve log web --oneline -n 10', 'the last ten, one line each'],
    ['varve log web@before-upgrade', 'that one and those before it'],
    ['varve log ./disk.qcow2', 'a disk file and those it builds on, and whether they are what they were'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addChainOptions(
      command
        .argument('<disk>', 'an image, the snapshot to begin with, or a disk file')
        .option('-n, --max-count <count>', 'no more than so many', parseCount)
        .option('--oneline', 'one line for each'),
    ),
  async run(context, [argument], options) {
    const disk = localDiskArgument(argument);
    if (disk.kind === 'file') {
      const { showFileLog } = await import('./log-file.ts');
      return await showFileLog(context, disk.path, { ...options, ...chainOptions(options) });
    }
    const { reference } = disk;
    await using store = await context.openStore();
    const { image, selector } = parseReference(reference);
    const all = store.images.snapshots(image);
    const isWhole = selector.kind === 'newest';
    const last = isWhole ? Number.POSITIVE_INFINITY : store.images.resolve(reference).number;
    const most = options.maxCount ?? Number.POSITIVE_INFINITY;
    const pending = isWhole ? store.overlays.pending(store.images.get(image).id).reverse().slice(0, most) : [];
    const shown = all.filter(({ number }) => number <= last).reverse();
    const snapshots = shown.slice(0, Math.max(0, most - pending.length));
    const pendingText = pending.map((note) => pendingLines(image, note, options.oneline)).join('\n');
    context.show(
      () => [...pending.map((note) => pendingJson(image, note)), ...snapshots.map(snapshotJson)],
      () =>
        joined(pendingText, options.oneline ? snapshots.map(snapshotOneLine).join('\n') : describeAll(snapshots, all)),
    );
  },
};

function joined(first: string, rest: string): string {
  return first === '' ? rest : `${first}\n${rest}`;
}

function describeAll(snapshots: readonly Snapshot[], all: readonly Snapshot[]): string {
  const origins = findOrigins(all);
  return snapshots.map((snapshot) => snapshotLines(snapshot, origins.get(snapshot)).join('\n')).join('\n\n');
}

/** For the snapshots of an image that were made from another one of it than the one before: from which. */
function findOrigins(all: readonly Snapshot[]): Map<Snapshot, Snapshot> {
  const strayed = all.filter(({ parent }, index) => {
    const before = all[index - 1];
    return parent !== undefined && before !== undefined && !sameName(before.id, parent);
  });
  const byId = new Map(strayed.length === 0 ? [] : all.map((snapshot) => [hexOf(snapshot.id), snapshot]));
  const origins = new Map<Snapshot, Snapshot>();
  for (const snapshot of strayed) {
    const origin = byId.get(hexOf(snapshot.parent as Uint8Array));
    if (origin !== undefined) origins.set(snapshot, origin);
  }
  return origins;
}

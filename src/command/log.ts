import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { parseReference } from '../store/image-name.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { parseCount } from './input/count.ts';
import { pendingJson, pendingLines } from './output/pending-text.ts';
import { snapshotJson } from './output/snapshot-json.ts';
import { findOrigins } from './output/snapshot-origins.ts';
import { snapshotLines, snapshotOneLine } from './output/snapshot-text.ts';

interface Options extends ChainFlags {
  readonly maxCount?: number;
  readonly oneline?: boolean;
  readonly patch?: boolean;
}

/** `varve log DISK`: an image's snapshots, or a disk file and what it builds on, the newest first. */
export const logCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve log web', 'all snapshots of web, the newest first'],
    ['varve log web --oneline -n 10', 'the last ten, one line each'],
    ['varve log web@before-upgrade', 'that one and those before it'],
    ['varve log web -- /etc/ssh/sshd_config', 'the snapshots in which a file of the disk changed'],
    ['varve log -p web -- /etc', 'how the files in a directory did, line by line'],
    ['varve log ./disk.qcow2', 'a disk file and those it builds on, and whether they are what they were'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addChainOptions(
      command
        .argument('<disk>', 'an image, the snapshot to begin with, or a disk file')
        .argument('[path]', 'only snapshots in which this file of the disk changed, or what is below a directory')
        .option('-p, --patch', 'with a path: how text files changed, line by line')
        .option('-n, --max-count <count>', 'no more than so many', parseCount)
        .option('--oneline', 'one line for each'),
    ),
  async run(context, [argument, path], options) {
    const disk = localDiskArgument(argument);
    if (options.patch && path === undefined) {
      throw new VarveError('INVALID', `of which file? write varve log -p ${argument} -- /etc/fstab`);
    }
    if (disk.kind === 'file') {
      if (path !== undefined)
        throw new VarveError('INVALID', `${argument} is a disk file; its files have no snapshots here`);
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
    if (path !== undefined) {
      const { showPathLog } = await import('./log-path.ts');
      const until = all.filter(({ number }) => number <= last);
      return await showPathLog(context, store, until, { ...options, path, most, all });
    }
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

import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type Committed, commitOverlay } from '../image/file-history/commit-overlay.ts';
import type { CommitTransactionOptions } from '../image/transaction/end-transaction.ts';
import { isTransactionName } from '../image/transaction/transaction-name.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { requireDiskFile } from './input/require-disk-file.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends ChainFlags, DetailsOptions {
  readonly delete?: boolean;
  readonly force?: boolean;
  readonly merge?: boolean;
}

/** `varve commit FILE`, `varve commit TX` */
export const commitCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve commit ./disk.qcow2', 'merge an overlay into the file that it builds on, and go on with an empty one'],
    ['varve commit ./disk.qcow2 --delete', 'the same, and remove the overlay'],
    ['varve commit tx-3f9a01c2 -m "nginx"', 'make what a transaction holds the next snapshots of its images'],
    ['varve commit tx-3f9a01c2 --merge', 'also where others committed meanwhile, if they changed other files (root)'],
  ],
  completes: ['file'],
  configure: (command: Command) =>
    addChainOptions(
      addDetailsOptions(command)
        .argument('<file>', 'the overlay, or a transaction: tx-3f9a01c2')
        .option('--delete', 'remove the overlay, instead of leaving it empty')
        .option('--force', 'even if other files build on its base, or that was changed since')
        .option('--merge', 'of a transaction: when others were quicker, keep both, if they changed other files'),
    ),
  async run(context, [file], options) {
    if (isTransactionName(file)) return await commitOpen(context, file, options);
    if (options.message !== undefined)
      throw new VarveError('INVALID', '--message is for transactions; a file has none');
    if (options.merge) throw new VarveError('INVALID', '--merge is for transactions; a file has no such conflicts');
    requireDiskFile(file, 'commit', 'varve snapshot records the state of an image');
    const signal = await context.startWork();
    const { delete: remove, force } = options;
    const register = registerPath(context.storePath);
    const committed = await commitOverlay(file, { ...chainOptions(options), delete: remove, force, register, signal });
    context.show(committed, () => resultText(file, committed));
  },
};

async function commitOpen(context: CommandContext, name: string, options: Options): Promise<void> {
  if (options.delete || options.force) {
    throw new VarveError('INVALID', `--delete and --force are for files, and ${name} is a transaction`);
  }
  const { filesBetween } = await import('../changes/files-between.ts');
  const signal = await context.startWork();
  await using store = await context.openStore();
  const how = { ...(await readDetails(options)), signal, filesBetween };
  const commit = options.merge ? await mergingCommit(context) : await plainCommit();
  const snapshots = await commit(store, name, how);
  context.show({ transaction: name, snapshots: snapshots.map(snapshotJson) }, () =>
    snapshots.length === 0
      ? `${name} changed nothing`
      : snapshots.map((snapshot) => `${referenceOf(snapshot)} made`).join('\n'),
  );
}

type Commit = (store: Store, name: string, options: CommitTransactionOptions & WithSignal) => Promise<Snapshot[]>;
type WithSignal = { readonly signal: AbortSignal };

async function plainCommit(): Promise<Commit> {
  return (await import('../image/transaction/end-transaction.ts')).commitTransaction;
}

async function mergingCommit(context: CommandContext): Promise<Commit> {
  const { commitMerging, requireMergeRights } = await import('../server/transaction/merge/commit-merging.ts');
  requireMergeRights();
  const places = {
    runDirectory: await currentRunPath(context),
    storePath: resolve(context.storePath),
    register: resolve(registerPath(context.storePath)),
  };
  const onMerge = (reason: string) => context.remark(`${reason}; merging`);
  return (store, name, options) => commitMerging(store, name, { ...options, ...places, onMerge });
}

function resultText(file: string, { base, deleted, length }: Committed): string {
  const what = `${basename(file)} committed to ${basename(base)}: ${formatSize(length)}`;
  return `${what}; ${deleted ? 'it is removed' : 'it is empty now'}`;
}

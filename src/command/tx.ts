import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import type { TransactionInfo } from '../image/transaction/list-transactions.ts';
import type { TransactionOutcome, TransactionRequest } from '../server/transaction/run-transaction.ts';
import { referenceOf } from '../store/image-table.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { runPath } from './framework/run-path.ts';
import { parseCount } from './input/count.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';
import { snapshotJson } from './output/snapshot-json.ts';
import { type RecoverOptions, recoverFiles } from './tx-recover.ts';

interface Options extends DetailsOptions, RecoverOptions {
  readonly command: readonly string[];
  readonly mount?: string;
  readonly partition?: number;
  readonly check?: boolean;
  readonly retry?: number;
  readonly serial?: boolean;
  readonly merge?: boolean;
  readonly name?: string;
}

const help = `
The command finds the disk at $VARVE_DISK (a path) and $VARVE_NBD (an address), further ones at
$VARVE_DISK2, $VARVE_NBD2 and so on; {} and {2} in its arguments stand for the paths. What it
writes is seen by nobody else. When it ends with 0, all disks are changed in one step; with any
other status, or when it is killed, none is, and its status is the status of varve tx.

With --merge, what it changed in the files of images (ext2 to ext4, XFS, Btrfs without
subvolumes) is repeated on what others committed meanwhile, unless they changed the same files.
Disk files have no such conflicts: one that somebody else changed is refused.`;

/** `varve tx DISK… -- COMMAND`, `varve tx list` */
export const txCommand: CommandModule<string[], Options> = {
  examples: [
    [
      'varve tx web --mount /mnt -- apt-get -o Dir=/mnt install nginx',
      'change the files of an image, or nothing at all',
    ],
    ['varve tx web db -- ./migrate.sh', 'two images, both or neither; the script finds them in $VARVE_DISK1 and 2'],
    ['varve tx ./disk.qcow2 --check -- e2fsck -fy {}', 'a disk file, and only if its file system is in order then'],
    ['varve tx web --retry 3 -- ./update.sh', 'again on the new state, when somebody else was quicker'],
    ['varve tx web --merge --mount /mnt -- ./update.sh', 'together with what others changed in other files (root)'],
    ['varve tx a.qcow2 b.raw -- ./migrate.sh', 'two disk files, both or neither'],
    ['varve tx recover ./a.qcow2', 'ends what was cut off; whoever opens one of its files does so, too'],
    ['varve tx list', 'those that varve begin began, and that are still open'],
  ],
  completes: ['disk'],
  takesCommand: true,
  configure: (command: Command) =>
    addDetailsOptions(
      command
        .argument('[disk...]', 'images, or disk files; or list, or recover and files')
        .option('--mount <directory>', 'mount the first disk there, for the command')
        .option('--partition <number>', 'with --mount: the partition that the file system is in', parseCount)
        .option('--check', 'commit only what the file systems’ own checkers call clean')
        .option('--retry <count>', 'when others were quicker, run it again so many times', parseCount)
        .option('--merge', 'when others were quicker, keep both, if they changed other files')
        .option('--name <name>', 'what varve ok NAME calls it, which ends it and commits; the command’s own name')
        .option('--force', 'with recover: also over what others changed in a file since')
        .option('--give-up', 'with recover: leave what is not changed yet as it is')
        .option('--serial', 'wait until no other --serial transaction works on the same images'),
    ).addHelpText('after', help),
  async run(context, disks, options) {
    if (disks.length === 1 && disks[0] === 'list' && options.command.length === 0) return await showOpen(context);
    if (disks[0] === 'recover' && options.command.length === 0) {
      return await recoverFiles(context, disks.slice(1), options);
    }
    if (disks.length === 0) throw new VarveError('INVALID', 'name the disks, and after -- the command');
    if (options.command.length === 0) throw new VarveError('INVALID', 'write the command after --');
    if (options.merge) (await import('../server/transaction/merge/commit-merging.ts')).requireMergeRights();
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    const request = await requestFor(context, disks, options, store, signal);
    using _lock = options.serial ? await lock(context, store, request) : undefined;
    const { snapshots, status } = await withRetries(context, request, options.retry ?? 0);
    context.show({ status, snapshots: snapshots.map(snapshotJson) }, () =>
      snapshots.map((snapshot) => `${referenceOf(snapshot)} made`).join('\n'),
    );
    return status;
  },
};

async function requestFor(
  context: CommandContext,
  disks: readonly string[],
  options: Options,
  store: LazyStore,
  signal: AbortSignal,
): Promise<TransactionRequest> {
  const { check = false, command, mount, partition } = options;
  if (partition !== undefined && mount === undefined) throw new VarveError('INVALID', '--partition needs --mount');
  return {
    ...{ disks, command, check, signal, store: store.open, details: await readDetails(options) },
    mount: mount === undefined ? undefined : { directory: realPath(mount), partition },
    okDirectory: join(runPath(), 'ok'),
    okName: options.name,
    merge: options.merge,
    onMerge: (reason) => context.remark(`${reason}; merging`),
    runDirectory: await currentRunPath(context),
    storePath: resolve(context.storePath),
    register: resolve(registerPath(context.storePath)),
  };
}

async function lock(context: CommandContext, store: LazyStore, request: TransactionRequest): Promise<Disposable> {
  const { serialLock } = await import('../image/transaction/serial-lock.ts');
  const { diskArgument } = await import('../image/disk-argument.ts');
  if (request.disks.some((disk) => diskArgument(disk).kind !== 'snapshot')) {
    throw new VarveError('INVALID', '--serial is for images; a disk file is refused while it is in use');
  }
  return await serialLock(await store.open(), request.disks, {
    purpose: `tx ${request.command[0]}`,
    signal: request.signal,
    onWait: (holder) => context.remark(`waiting: ${holder}`),
  });
}

async function withRetries(
  context: CommandContext,
  request: TransactionRequest,
  retries: number,
): Promise<TransactionOutcome> {
  const { runTransaction } = await import('../server/transaction/run-transaction.ts');
  for (let left = retries; ; left--) {
    try {
      return await runTransaction(request);
    } catch (error) {
      if (left === 0 || !isVarveError(error, 'CONFLICT')) throw error;
      context.remark(`${error.message}; trying again`);
    }
  }
}

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'SINCE' },
  { title: 'DISKS' },
  { title: 'CHANGES', align: 'right' },
  { title: 'SAVEPOINTS' },
  { title: 'OPEN IN' },
];

async function showOpen(context: CommandContext): Promise<void> {
  const { listTransactions } = await import('../image/transaction/list-transactions.ts');
  await using store = await context.openStore();
  const open = listTransactions(store);
  context.show(
    () => open,
    () => (open.length === 0 ? '' : formatTable(columns, open.map(cells))),
  );
  if (open.length === 0 && !context.json) context.remark('no transaction is open; varve begin IMAGE begins one');
}

function cells({ disks, holder, name, savepoints, since }: TransactionInfo): string[] {
  const stored = disks.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const bases = disks.map(
    ({ baseNumber, hasMoved, image }) => `${image}@${baseNumber}${hasMoved ? ' (moved on)' : ''}`,
  );
  const user = holder === undefined ? '' : `${holder.purpose} (process ${holder.pid})`;
  return [name, localTime(since), bases.join(', '), formatSize(stored), savepoints.join(', '), user];
}

function realPath(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw systemError(`mount on ${directory}`, error);
  }
}

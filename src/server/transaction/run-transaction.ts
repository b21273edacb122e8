import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { filesBetween } from '../../changes/files-between.ts';
import { diskArgument } from '../../image/disk-argument.ts';
import { withFileHint } from '../../image/file-hint.ts';
import { type LiveImage, openImageForWriting } from '../../image/live-image.ts';
import type { SnapshotDetails } from '../../image/snapshot-details.ts';
import { beginTransaction } from '../../image/transaction/begin-transaction.ts';
import { commitTransaction, rollBackTransaction } from '../../image/transaction/end-transaction.ts';
import type { FileTransaction } from '../../image/transaction/file-transaction.ts';
import { dropDeadRuns, type RunLease, takeRunLease } from '../../image/transaction/run-lease.ts';
import type { OpenDisk } from '../../image/transaction/savepoints.ts';
import type { Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import { throwIfAborted } from '../../store/throw-if-aborted.ts';
import { ControlServer } from '../control/control-server.ts';
import { answerForDisk } from '../control/transaction-disk.ts';
import { runUntilOk } from '../ok/run-until-ok.ts';
import { Watchdog } from '../watchdog.ts';
import { type AttachServedOptions, attachServed } from './attach-served.ts';
import { type ServedDisks, type ShownDisk, serveDisks } from './serve-disks.ts';

/** A command that runs in a transaction, and on what. */
export interface TransactionRequest extends Omit<AttachServedOptions, 'isNeeded'> {
  readonly disks: readonly string[];
  /** The program and its arguments; `{}` and `{2}` in them stand for the disks' paths. */
  readonly command: readonly string[];
  readonly store: () => Promise<Store>;
  readonly details: SnapshotDetails;
  /** Lets the file systems' checkers look before it is committed. */
  readonly check: boolean;
  /** Whether what it changes in files of images is repeated on what others made of them meanwhile, where that can be. */
  readonly merge?: boolean | undefined;
  /** Called when it is, with why. */
  readonly onMerge?: ((reason: string) => void) | undefined;
  /** Where running commands are noted that can be told that it is enough, and under which name. */
  readonly okDirectory: string;
  readonly okName?: string | undefined;
}

/** How long the command's processes may take to end when it is told that it is enough. */
const graceMs = 2000;

/** How it ended. */
export interface TransactionOutcome {
  /** The command's exit status; all is committed where it is 0, and nothing else. */
  readonly status: number;
  readonly snapshots: readonly Snapshot[];
}

/**
 * Runs a command on private views of disks, and commits all of them when it ends with 0; otherwise, or when this fails,
 * nothing is changed.
 *
 * @throws VarveError `CONFLICT` where a disk was changed meanwhile, `CORRUPT` where a check finds something wrong, and what
 *   opening and attaching the disks throws
 */
export async function runTransaction(request: TransactionRequest): Promise<TransactionOutcome> {
  const kinds = request.disks.map((disk) => diskArgument(disk).kind);
  if (kinds.includes('address')) {
    throw new VarveError('INVALID', 'a transaction is for images and disk files, not for disks at addresses');
  }
  if (!kinds.includes('file')) return await onImages(request);
  if (!kinds.includes('snapshot')) {
    if (!request.merge) return await onFiles(request);
    throw new VarveError('INVALID', '--merge is for images; a disk file that somebody else changed is refused');
  }
  const [image, file] = [request.disks[kinds.indexOf('snapshot')], request.disks[kinds.indexOf('file')]];
  const advice = 'import the file, export the image, or use two transactions';
  throw new VarveError(
    'INVALID',
    `a transaction is for images or for disk files: ${image} is in the store, and ${file} is a file; ${advice}`,
  );
}

async function onImages(request: TransactionRequest): Promise<TransactionOutcome> {
  const store = await request.store();
  dropDeadRuns(store);
  using lease = begun(request, store);
  const { name } = lease;
  await beginTransaction(store, request.disks, name);
  try {
    const status = await runOnImages(request, store, name);
    if (status !== 0) return { status, snapshots: [] };
    return { status, snapshots: await commitImages(request, store, name) };
  } finally {
    dropRest(store, name);
  }
}

async function commitImages(request: TransactionRequest, store: Store, name: string): Promise<readonly Snapshot[]> {
  const { details, signal } = request;
  if (!request.merge) return await commitTransaction(store, name, { ...details, signal, filesBetween });
  const { commitMerging } = await import('./merge/commit-merging.ts');
  const check = request.check ? (disks: readonly ShownDisk[]) => checkAll(request, disks) : undefined;
  return await commitMerging(store, name, { ...request, ...details, filesBetween, check });
}

function begun({ command, disks }: TransactionRequest, store: Store): RunLease {
  try {
    return takeRunLease(store, disks[0]!, `tx ${command[0]}`);
  } catch (error) {
    throw withFileHint(disks[0]!, error);
  }
}

async function runOnImages(request: TransactionRequest, store: Store, name: string): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const disks: LiveImage[] = [];
  const control = stack.use(await ControlServer.listen());
  for (const image of request.disks) {
    const options = { owner: name, purpose: `tx ${request.command[0]}`, socket: control.path };
    disks.push(stack.use(await openImageForWriting(store, image, options)));
  }
  for (const disk of disks) {
    const { uuid } = store.images.get(disk.name);
    stack.use(answerForDisk(control, { transaction: name, uuid, disk: openDisk(disk, name, request) }));
  }
  const shown = disks.map(({ device, name: label }) => ({ device, label }));
  const status = await runOn(request, shown, { VARVE_TX: name });
  for (const { device } of disks) await device.flush();
  return status;
}

/** The command itself asks that it go back, and knows what it does; a file system that is mounted does not. */
function openDisk(disk: LiveImage, name: string, { mount }: TransactionRequest): OpenDisk {
  return {
    putOnTop: (layerId) => disk.putOnTop(layerId),
    cutTo: (count, layerId) => disk.cutTo(count, layerId),
    async requireUnused() {
      if (mount === undefined) return;
      throw new VarveError(
        'BUSY',
        `cannot take ${name} back: it is mounted on ${mount.directory}, and would not notice`,
      );
    },
  };
}

function dropRest(store: Store, name: string): void {
  try {
    rollBackTransaction(store, name);
  } catch (error) {
    if (!isVarveError(error, 'NOT_FOUND')) throw error;
  }
}

async function onFiles(request: TransactionRequest): Promise<TransactionOutcome> {
  const { disks, register, signal } = request;
  // With all formats of disk files, which images need nothing of.
  const { FileTransaction } = await import('../../image/transaction/file-transaction.ts');
  await using stack = new AsyncDisposableStack();
  const transactions: FileTransaction[] = [];
  const files = new Set<string>();
  for (const path of disks) {
    const transaction = stack.use(await FileTransaction.begin(path, { register, signal }));
    if (files.has(transaction.file)) throw new VarveError('INVALID', `${path} is named twice`);
    files.add(transaction.file);
    transactions.push(transaction);
  }
  const shown = transactions.map(({ device }, index) => ({ device, label: disks[index]! }));
  const directories = transactions.map(({ directory }) => directory);
  const status = await runOn(request, shown, {}, directories);
  if (status === 0) await FileTransaction.commitAll(transactions, { register, signal });
  return { status, snapshots: [] };
}

/** Shows disks to the command, and returns when it has ended and what it wrote has arrived. */
async function runOn(
  request: TransactionRequest,
  disks: readonly ShownDisk[],
  variables: Readonly<Record<string, string>>,
  directories: readonly string[] = [],
): Promise<number> {
  const { command, signal } = request;
  const isNeeded = request.mount !== undefined || command.some((word) => placeholder.test(word));
  const run = async (): Promise<number> => {
    await using served = await serveDisks(disks);
    await using attached = await attachServed(served.uris, { ...request, isNeeded });
    const environment = { ...variables, ...diskVariables(served, attached.paths, request) };
    const [file, ...args] = command.map((word) => withPaths(word, attached.paths));
    await using watchdog = new Watchdog([served.directory, ...directories]);
    const { status } = await runUntilOk({
      ...{ command: [file!, ...args], directory: request.okDirectory, name: request.okName, graceMs, environment },
      onStart: (pid) => watchdog.watch(pid),
    });
    throwIfAborted(signal);
    return status;
  };
  const status = await run();
  if (status === 0 && request.check) await checkAll(request, disks);
  return status;
}

/** Looks when the command's mounts are gone: what is mounted is not all on the disk yet. */
async function checkAll(request: TransactionRequest, disks: readonly ShownDisk[]): Promise<void> {
  const { checkableVolumes, checkVolume } = await import('../check/check-file-systems.ts');
  const found = await Promise.all(disks.map(({ device, label }) => checkableVolumes(device, { name: label })));
  const damage = found.flatMap(({ problems }) => problems).find(({ code }) => code === 'CORRUPT');
  if (damage !== undefined) throw damage;
  const volumes = found.flatMap((each) => each.volumes);
  await using served = await serveDisks(volumes);
  await using attached = await attachServed(served.uris, { ...request, mount: undefined, isNeeded: true });
  for (const [index, volume] of volumes.entries()) await checkVolume(volume, attached.paths[index]!);
}

const placeholder = /\{(\d*)\}/;

function withPaths(word: string, paths: readonly string[]): string {
  return word.replace(new RegExp(placeholder, 'g'), (text, number: string) => {
    const path = paths[number === '' ? 0 : Number(number) - 1];
    if (path !== undefined) return path;
    throw new VarveError('INVALID', `${text} stands for a disk that there is not; there are ${paths.length}`);
  });
}

function diskVariables(
  { uris }: ServedDisks,
  paths: readonly string[],
  { mount }: TransactionRequest,
): Record<string, string> {
  const numbered = uris.flatMap((uri, index) => {
    const path = paths[index];
    const nbd = [`VARVE_NBD${index + 1}`, uri];
    return path === undefined ? [nbd] : [nbd, [`VARVE_DISK${index + 1}`, path]];
  });
  return {
    ...Object.fromEntries(numbered),
    VARVE_NBD: uris[0]!,
    ...(paths[0] !== undefined && { VARVE_DISK: paths[0] }),
    ...(mount !== undefined && { VARVE_MOUNT: mount.directory }),
  };
}

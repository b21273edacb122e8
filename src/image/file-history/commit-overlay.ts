import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { isLinux } from '../../linux/libc.ts';
import { lockFile } from '../../linux/lock-file.ts';
import { isSoleOpener } from '../../linux/sole-opener.ts';
import { log } from '../../log/log.ts';
import { WriteBehind } from '../write-behind.ts';
import { compareToStamp } from './base-stamp.ts';
import { type FindChildrenOptions, requireNoChildren } from './children.ts';
import { type CommitQcow2Options, commitQcow2 } from './commit-qcow2.ts';
import { commitRaw } from './commit-raw.ts';
import { syncDirectory, takePlace, writeBeside } from './file-places.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { type MergedContent, mergedContent } from './merged-content.ts';
import { type ChainOptions, chainHook, openChain } from './open-chain.ts';
import { overlayBase, writeOverlay } from './overlay-file.ts';
import { ownRanges, totalLength } from './own-ranges.ts';
import { walkChain } from './walk-chain.ts';

/** How an overlay is committed. */
export interface CommitOverlayOptions extends ChainOptions, FindChildrenOptions {
  /** Removes the overlay afterwards, which otherwise stays, empty. */
  readonly delete?: boolean | undefined;
  /** Also where others build on the base, or it is not what it was when the overlay was made. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of a commit; absolute paths. */
export interface Committed {
  readonly overlay: string;
  readonly base: string;
  /** The format of the base. */
  readonly format: string;
  /** How much the overlay had of its own, in bytes. */
  readonly length: number;
  /** Whether the overlay is gone; otherwise it is there and empty. */
  readonly deleted: boolean;
}

/** An overlay and the image it is committed to. */
interface Pair {
  readonly overlay: ImageFile;
  readonly base: ImageFile;
  /** Whether nobody had the base open when this began, who may read what is free in it by now. */
  readonly mayReuse: boolean;
}

/**
 * Merges an overlay into the file that it builds on, in one step: whoever reads that file sees the disk of before or
 * the one of after, and a kill at any moment leaves one of them. What somebody has open keeps reading as before. It is
 * durable when this returns, and the overlay is empty then, or gone.
 *
 * @throws VarveError `INVALID` for what builds on nothing, `BUSY` where others build on the base, write to it or to the
 *   overlay, `CONFLICT` for a base that was changed, `UNSUPPORTED` for formats that cannot be changed in one step,
 *   `PERMISSION` for a base that is not allowed, `NO_SPACE`, `ABORTED`
 */
export async function commitOverlay(path: string, options: CommitOverlayOptions = {}): Promise<Committed> {
  return await log.scope(`commit ${path}`, async () => {
    const overlay = await readImageFile(path);
    const base = await baseOf(path, overlay, options);
    await using _overlayLock = await openFileDevice(overlay.path, { readOnly: true, lock: true, label: path });
    await using baseLock = await lockForCommit(base.path);
    const pair = { overlay, base, mayReuse: baseLock.isAlone };
    await requireCommittable(path, pair, options);
    const length = await merge(pair, options);
    if (options.delete) await remove(overlay.path);
    else await makeEmpty(pair);
    const { format } = base.information;
    return { overlay: overlay.path, base: base.path, format, length, deleted: options.delete ?? false };
  });
}

/** The file that an overlay builds on, if it may be looked at. */
async function baseOf(path: string, { information }: ImageFile, options: ChainOptions): Promise<ImageFile> {
  if (information.backing === undefined) {
    throw new VarveError('INVALID', `cannot commit ${path}: it builds on no other file`);
  }
  const [, base] = await Array.fromAsync(firstTwo(walkChain(path, options)));
  if (base?.kind === 'image') return base.image;
  const what = `cannot commit ${path}: it builds on ${JSON.stringify(information.backing.name)}`;
  if (base?.kind === 'missing') throw new VarveError('NOT_FOUND', `${what}, which is not there`);
  if (base?.kind === 'no file') throw new VarveError('UNSUPPORTED', `${what}, which is no file name`);
  const advice = 'give --follow or --allow DIRECTORY if you trust it';
  throw new VarveError('PERMISSION', `${what}, which is in a directory that is not allowed; ${advice}`);
}

async function* firstTwo<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
  let count = 0;
  for await (const value of values) {
    yield value;
    count += 1;
    if (count === 2) return;
  }
}

async function requireCommittable(path: string, { overlay, base }: Pair, options: CommitOverlayOptions): Promise<void> {
  const { format } = overlay.information;
  if (format !== 'qcow2') {
    throw new VarveError(
      'UNSUPPORTED',
      `cannot commit ${path}: it is a ${format} image; overlays of qcow2 can be committed`,
    );
  }
  const [extra] = overlay.extras;
  if (extra !== undefined) {
    throw new VarveError('UNSUPPORTED', `cannot commit ${path}: it holds ${extra}, which an empty overlay would not`);
  }
  if (options.force) return;
  const doing = `commit ${path} to ${basename(base.path)}`;
  const advice = 'they would change, too; rebase or flatten them first, or give --force';
  await requireNoChildren(base.path, doing, { ...options, except: [overlay.path], advice });
  if (options.delete) await requireNoChildren(overlay.path, `delete ${path}`, options);
  if (overlay.stamp === undefined || (await compareToStamp(base.path, overlay.stamp)) !== 'changed') return;
  const why = `${basename(base.path)} was changed since ${basename(overlay.path)} was made over it`;
  throw new VarveError('CONFLICT', `cannot ${doing}: ${why}; give --force to commit to what it is now`);
}

/** Writes the merged content; gives how much of it is the overlay's own, in bytes. */
async function merge({ overlay, base, mayReuse }: Pair, options: CommitOverlayOptions): Promise<number> {
  const own = await ownRanges(overlay.path, overlay.information.format);
  await using upper = await openChain(overlay.path, 'qcow2', options);
  await using lower = await openChain(base.path, base.information.format, options);
  const content = mergedContent(upper, own, lower);
  const length = totalLength(own);
  if (length === 0 && content.size === lower.size) return 0;
  using progress = log.progress({ label: `committing ${basename(overlay.path)}`, totalBytes: length });
  const onProgress = (bytes: number): void => progress.advance(bytes);
  const backingSize = await backingSizeOf(base, options);
  await write(base, content, { signal: options.signal, onProgress, backingSize, mayReuse });
  return length;
}

/** How large the disk is that the base itself builds on; undefined where there is none. */
async function backingSizeOf({ path, information }: ImageFile, options: ChainOptions): Promise<number | undefined> {
  const { backing } = information;
  if (backing === undefined) return undefined;
  const open = await chainHook(path, options);
  await using disk = await open(backing.name, backing.format);
  return disk.size;
}

async function write(
  { path, information }: ImageFile,
  content: MergedContent,
  options: Omit<CommitQcow2Options, 'name'>,
): Promise<void> {
  const { format } = information;
  if (format === 'raw') return await commitRaw(path, content, options);
  if (format !== 'qcow2') {
    const why = `${format} files are not changed in one step here; convert it to qcow2 or raw first`;
    throw new VarveError('UNSUPPORTED', `cannot commit to ${path}: ${why}`);
  }
  await whileWritable(path, async () => {
    await using file = await openFileDevice(path);
    await using handle = await fs.open(path, 'r+');
    await commitQcow2(file, content, { name: path, ...options, behind: new WriteBehind(handle, path) });
  });
}

/** Lets a file that its owner made read-only, as bases are, be written to for the time of `work`. */
async function whileWritable(path: string, work: () => Promise<void>): Promise<void> {
  const { mode } = await fs.stat(path);
  if ((mode & 0o200) !== 0 || process.getuid?.() === 0) return await work();
  try {
    await fs.chmod(path, mode | 0o200);
  } catch (error) {
    throw systemError(`write to ${path}`, error);
  }
  try {
    await work();
  } finally {
    await fs.chmod(path, mode);
  }
}

interface CommitLock extends AsyncDisposable {
  readonly isAlone: boolean;
}

/** Keeps other commits and all who write away from a base; those who read may stay. @throws VarveError `BUSY` */
async function lockForCommit(path: string): Promise<CommitLock> {
  await using stack = new AsyncDisposableStack();
  const handle = stack.use(await openHandle(path));
  if (isLinux && !lockFile(handle.fd, 'exclusive', path)) {
    throw new VarveError('BUSY', `cannot commit to ${path}: another commit to it is under way`);
  }
  const isAlone = isSoleOpener(handle.fd);
  stack.use(await openFileDevice(path, { readOnly: true, lock: true }));
  const locks = stack.move();
  return { isAlone, [Symbol.asyncDispose]: () => locks.disposeAsync() };
}

async function openHandle(path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, 'r');
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

async function remove(path: string): Promise<void> {
  await fs.unlink(path);
  await syncDirectory(dirname(path));
}

/** Puts an empty overlay of the same base into the place of one whose content the base has now. */
async function makeEmpty({ overlay, base }: Pair): Promise<void> {
  const { path, information, stamp } = overlay;
  const note = { message: stamp?.message ?? '', author: stamp?.author ?? '', time: Date.now() };
  const made = await overlayBase(base.path, { ...information.backing!, format: base.information.format }, note);
  const temporary = await writeBeside(path, await fs.stat(path), (file) =>
    writeOverlay(file, path, information.virtualSize, made, information.clusterSize),
  );
  await takePlace(temporary, path);
}

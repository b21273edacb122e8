import fs from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import type { DiskRange } from '../../format/data-ranges.ts';
import { log } from '../../log/log.ts';
import { WriteBehind } from '../write-behind.ts';
import { compareToStamp } from './base-stamp.ts';
import { type FindChildrenOptions, requireNoChildren } from './children.ts';
import { lockForCommit, makeWritable } from './commit-lock.ts';
import { type CommitQcow2Options, stageQcow2 } from './commit-qcow2.ts';
import { stageRaw } from './commit-raw.ts';
import { beside, syncDirectory, takePlace, writeBeside } from './file-places.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { type MergedContent, mergedContent } from './merged-content.ts';
import { type ChainOptions, chainHook, openChain } from './open-chain.ts';
import { overlayBase, writeOverlay } from './overlay-file.ts';
import { ownRanges, totalLength } from './own-ranges.ts';
import type { StagedChange } from './staged-change.ts';
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
    await using commit = await OverlayCommit.begin(path, options);
    await using staged = await commit.stage();
    if (staged !== undefined) await applyOrDrop(staged);
    return await commit.end();
  });
}

/** Applies a change that nothing else depends on. */
export async function applyOrDrop(staged: StagedChange): Promise<void> {
  try {
    await staged.apply();
  } catch (error) {
    await staged.drop();
    throw error;
  }
  await staged.release();
}

/**
 * An overlay that is being merged into the file it builds on, in steps: both are locked while it lives. Each step may be
 * the last; what `stage` gives is the caller's.
 */
export class OverlayCommit implements AsyncDisposable {
  readonly base: ImageFile;
  /** What the overlay has of its own, in order. */
  readonly own: readonly DiskRange[];
  readonly #path: string;
  readonly #pair: Pair;
  readonly #options: CommitOverlayOptions;
  readonly #locks: AsyncDisposable;

  private constructor(
    path: string,
    pair: Pair,
    own: readonly DiskRange[],
    options: CommitOverlayOptions,
    locks: AsyncDisposable,
  ) {
    this.base = pair.base;
    this.own = own;
    this.#path = path;
    this.#pair = pair;
    this.#options = options;
    this.#locks = locks;
  }

  /** Locks both, and looks whether the overlay can be committed. @throws VarveError as `commitOverlay` does */
  static async begin(path: string, options: CommitOverlayOptions): Promise<OverlayCommit> {
    await using stack = new AsyncDisposableStack();
    const overlay = await readImageFile(path);
    const base = await baseOf(path, overlay, options);
    stack.use(await openFileDevice(overlay.path, { readOnly: true, lock: true, label: path }));
    const { isAlone } = stack.use(await lockForCommit(base.path));
    const pair = { overlay, base, mayReuse: isAlone };
    await requireCommittable(path, pair, options);
    const own = await ownRanges(overlay.path, overlay.information.format);
    return new OverlayCommit(path, pair, own, options, stack.move());
  }

  /** Gets the base ready, with a copy of that name where one is needed; undefined where nothing is to change. */
  async stage(copy: string = beside(this.base.path)): Promise<StagedChange | undefined> {
    return await stage(this.#pair, this.own, copy, this.#options);
  }

  /** Empties the overlay whose content the base has now, or deletes it. */
  async end(): Promise<Committed> {
    const { base, overlay } = this.#pair;
    if (this.#options.delete) await remove(overlay.path);
    else await makeEmpty(this.#pair);
    const length = totalLength(this.own);
    const { format } = base.information;
    return { overlay: overlay.path, base: base.path, format, length, deleted: this.#options.delete ?? false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locks[Symbol.asyncDispose]();
  }
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

async function stage(
  { overlay, base, mayReuse }: Pair,
  own: readonly DiskRange[],
  copy: string,
  options: CommitOverlayOptions,
): Promise<StagedChange | undefined> {
  await using upper = await openChain(overlay.path, 'qcow2', options);
  await using lower = await openChain(base.path, base.information.format, options);
  const content = mergedContent(upper, own, lower);
  const length = totalLength(own);
  if (length === 0 && content.size === lower.size) return undefined;
  using progress = log.progress({ label: `committing ${basename(overlay.path)}`, totalBytes: length });
  const onProgress = (bytes: number): void => progress.advance(bytes);
  const backingSize = await backingSizeOf(base, options);
  return await stageContent(base, copy, content, { signal: options.signal, onProgress, backingSize, mayReuse });
}

/** How large the disk is that the base itself builds on; undefined where there is none. */
async function backingSizeOf({ path, information }: ImageFile, options: ChainOptions): Promise<number | undefined> {
  const { backing } = information;
  if (backing === undefined) return undefined;
  const open = await chainHook(path, options);
  await using disk = await open(backing.name, backing.format);
  return disk.size;
}

async function stageContent(
  { path, information }: ImageFile,
  copy: string,
  content: MergedContent,
  options: Omit<CommitQcow2Options, 'name'>,
): Promise<StagedChange> {
  const { format } = information;
  if (format === 'raw') return await stageRaw(path, copy, content, options);
  if (format !== 'qcow2') {
    const why = `${format} files are not changed in one step here; convert it to qcow2 or raw first`;
    throw new VarveError('UNSUPPORTED', `cannot commit to ${path}: ${why}`);
  }
  await using stack = new AsyncDisposableStack();
  stack.use(await makeWritable(path));
  const file = stack.use(await openFileDevice(path));
  const handle = stack.use(await fs.open(path, 'r+'));
  const staged = await stageQcow2(file, content, { name: path, ...options, behind: new WriteBehind(handle, path) });
  const opened = stack.move();
  return { ...staged, [Symbol.asyncDispose]: () => opened.disposeAsync() };
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

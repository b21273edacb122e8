import fs from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { completeNote, type SnapshotDetails } from '../snapshot-details.ts';
import { type FindChildrenOptions, findChildren, requireNoChildren } from './children.ts';
import { addName, makeReadOnly, placeNew, type SecondName, takePlace, writeBeside } from './file-places.ts';
import { type ImageFile, readImageFile, realPath } from './image-file.ts';
import { type BaseNote, backingReference, overlayBase, writeOverlay } from './overlay-file.ts';
import { ownRanges } from './own-ranges.ts';
import { registerOverlay } from './register.ts';
import { requireNotUsed } from './require-not-used.ts';
import { walkChain } from './walk-chain.ts';

/** How a disk file goes back. */
export interface RestoreFileOptions extends SnapshotDetails, FindChildrenOptions {
  /** The file to go back to; a plain name is one in the disk's directory. */
  readonly to: string;
  /** Loses what was written since, which is kept under another name otherwise. */
  readonly discard?: boolean | undefined;
  /** The name that it is kept under, in the same directory; one with the date where nothing is given. */
  readonly as?: string | undefined;
  /** Also where other files build on the disk. */
  readonly force?: boolean | undefined;
}

/** What came of going back; absolute paths. */
export interface RestoredFile {
  readonly path: string;
  /** What the disk builds on now. */
  readonly base: string;
  /** Where what the disk held is kept, read-only; undefined where it held nothing of its own, or it was discarded. */
  readonly kept: string | undefined;
}

/**
 * Makes a disk file hold again what an earlier one holds: a new overlay of that one takes its place. What the disk held
 * by then is kept under another name, unless it is to be discarded or was nothing. A kill at any moment leaves the disk
 * as it was or restored.
 *
 * @throws VarveError `NOT_FOUND`, `BUSY` where other files build on the disk or somebody uses it, `INVALID` for what is
 *   no earlier file, `EXISTS`
 */
export async function restoreFile(path: string, options: RestoreFileOptions): Promise<RestoredFile> {
  return await log.scope(`restore ${path}`, async () => {
    const real = await realPathOrNew(path);
    const target = await readImageFile(options.to.includes('/') ? options.to : resolve(dirname(real), options.to));
    await requireNoRing(path, real, target, options.to);
    const note = await noteOf(target, options);
    const current = await currentImage(path, real);
    if (current === undefined) {
      await placeNew(await newOverlay(real, target, note), real);
      return await done(real, target, undefined, options);
    }
    requireQcow2Name(path, current);
    await using _lock = await requireNotUsed(real, `restore ${path}`);
    if (!options.force) await requireNoChildren(real, `restore ${path}`, options);
    const name = await nameToKeep(current, options);
    await replace(real, target, note, name);
    return await done(real, target, name, options);
  });
}

async function done(
  path: string,
  target: ImageFile,
  kept: SecondName | undefined,
  { register }: RestoreFileOptions,
): Promise<RestoredFile> {
  if (kept !== undefined) await makeReadOnly(kept.path);
  if (register !== undefined) await registerOverlay(register, { overlay: path, base: target.path });
  return { path, base: target.path, kept: kept?.path };
}

async function replace(path: string, target: ImageFile, note: BaseNote, kept: SecondName | undefined): Promise<void> {
  try {
    await takePlace(await newOverlay(path, target, note), path);
  } catch (error) {
    await kept?.undo();
    throw error;
  }
}

async function newOverlay(path: string, target: ImageFile, note: BaseNote): Promise<string> {
  const base = await overlayBase(target.path, backingReference(dirname(path), target), note);
  const like = await fs.stat(path).catch(() => fs.stat(target.path));
  const mode = like.mode | 0o200;
  return await writeBeside(path, Object.assign(like, { mode }), (file) =>
    writeOverlay(file, path, target.information.virtualSize, base),
  );
}

/** A second name for what the disk holds now, if that is anything that is not elsewhere. */
async function nameToKeep(current: ImageFile, options: RestoreFileOptions): Promise<SecondName | undefined> {
  if (options.discard) return undefined;
  const { format, backing, snapshotCount = 0 } = current.information;
  const isEmpty = backing !== undefined && snapshotCount === 0 && (await ownRanges(current.path, format)).length === 0;
  return isEmpty ? undefined : await addName(current.path, options.as, options.time ?? Date.now());
}

/** What was said of the file when it was left as it is, by whatever builds on it. */
async function noteOf(target: ImageFile, options: RestoreFileOptions): Promise<BaseNote> {
  const given = completeNote(options, '');
  for (const child of await findChildren(target.path, options)) {
    const { stamp } = await readImageFile(child);
    if (stamp === undefined) continue;
    return { message: options.message ?? stamp.message, author: stamp.author, time: options.time ?? stamp.time };
  }
  return { ...given, time: options.time ?? Math.floor(target.modified) };
}

async function requireNoRing(path: string, real: string, target: ImageFile, to: string): Promise<void> {
  if (target.path === real) {
    throw new VarveError('INVALID', `cannot restore ${path} to itself; varve log ${path} lists what it can go back to`);
  }
  for await (const link of walkChain(target.path)) {
    if (link.kind !== 'image' || link.image.path !== real) continue;
    throw new VarveError('INVALID', `cannot restore ${path} to ${to}, which builds on ${path} itself`);
  }
}

function requireQcow2Name(path: string, { information }: ImageFile): void {
  if (information.format === 'qcow2') return;
  const why = `it is a ${information.format} file, and what it would be replaced by is a qcow2 overlay`;
  throw new VarveError('INVALID', `cannot restore ${path}: ${why}; name a file.qcow2 that is not there yet`);
}

async function currentImage(path: string, real: string): Promise<ImageFile | undefined> {
  try {
    return await readImageFile(real);
  } catch (error) {
    if (!isVarveError(error, 'NOT_FOUND')) throw error;
    if (/\.(qcow2|qcow)$/i.test(basename(real))) return undefined;
    throw new VarveError('NOT_FOUND', `cannot restore ${path}: there is no such file; a new one would be named .qcow2`);
  }
}

/** Where a file is, or would be. */
async function realPathOrNew(path: string): Promise<string> {
  return await realPath(path).catch(async () => resolve(await realPath(dirname(path)), basename(path)));
}

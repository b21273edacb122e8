import fs from 'node:fs/promises';
import os from 'node:os';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { readHeader } from '../../format/qcow2/read-header.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { log } from '../../log/log.ts';
import { compareToStamp } from './base-stamp.ts';
import { lockForCommit, makeWritable } from './commit-lock.ts';
import { CommitMarker, copyPath, type StagedFile } from './commit-marker.ts';
import { applyStagedQcow2 } from './commit-qcow2.ts';
import { takePlace } from './file-places.ts';
import type { StagedRecord } from './staged-change.ts';

/** What becomes of a file that others changed after its commit was cut off. */
export type ChangedFiles = 'refused' | 'overwritten' | 'left';

/** How a commit that was cut off ended. */
export type FinishedCommit = 'done' | 'undone';

const askAgainMs = 20;
const longestWaitMs = 30_000;
/** Clocks are set a little after a machine starts. */
const clockToleranceMs = 2000;

/**
 * Ends a commit to several files that was cut off, by the marker beside one of them: changes all of them where that was
 * decided, and none otherwise. Undefined where there is nothing to end; one that is being decided in another process is
 * left to it, and one that it is doing is waited for. `path` is absolute and after all links.
 *
 * @throws VarveError `BUSY` while others use a file that is still to be changed, `CONFLICT` for one that others changed
 *   meanwhile unless `changed` says what to do, `PERMISSION`, `READ_ONLY`; the others are changed then
 */
export async function finishCommit(
  path: string,
  changed: ChangedFiles = 'refused',
): Promise<FinishedCommit | undefined> {
  for (let waitedMs = 0; waitedMs <= longestWaitMs; waitedMs += askAgainMs) {
    await using own = await CommitMarker.open(path);
    if (own === undefined) return undefined;
    const ended = await endOne(own, changed);
    if (ended !== 'wait') return ended;
    await setTimeout(askAgainMs);
  }
  throw new VarveError('BUSY', `cannot use ${path}: another process is committing to it, and does not come to an end`);
}

async function endOne(own: CommitMarker, changed: ChangedFiles): Promise<FinishedCommit | 'wait' | undefined> {
  if (own.plan === undefined) {
    // It is just being made where it is locked.
    return own.lock() && (await own.isThere()) ? await undo([own]) : undefined;
  }
  await using other = own.plan.index === 0 ? undefined : await CommitMarker.open(own.fileAt(0));
  const first = other ?? own;
  if (first.plan?.index !== 0 || first.plan.id !== own.plan.id) return await endAlone(own, changed);
  if (!first.lock()) return first.isDecided ? 'wait' : undefined;
  // Whoever had it may have done all this by now.
  if (!(await first.isThere())) return 'wait';
  await first.load();
  await using stack = new AsyncDisposableStack();
  const markers = [first];
  for (let index = 1; index < first.plan.files.length; index += 1) {
    const marker = await CommitMarker.open(first.fileAt(index));
    if (marker === undefined) continue;
    stack.use(marker);
    const isBare = marker.plan === undefined && marker.lock() && (await marker.isThere());
    if (marker.plan?.id === first.plan.id || isBare) markers.push(marker);
  }
  return first.isDecided ? await complete(markers, changed) : await undo(markers);
}

/** Without the first file, whose marker goes last, one has been changed already, or was taken away from the others. */
async function endAlone(own: CommitMarker, changed: ChangedFiles): Promise<FinishedCommit | 'wait'> {
  if (!own.lock()) return 'wait';
  if (own.staged === undefined) return await undo([own]);
  if (changed === 'refused' && !(await isApplied(own, own.staged.staged))) {
    const why = `it was to be changed together with ${own.fileAt(0)}, beside which nothing says whether that was decided`;
    throw new VarveError('CONFLICT', `cannot use ${own.file}: ${why}; ${advice(own.file)}`);
  }
  return await complete([own], changed);
}

/** All files, as far as that can be done; then their markers, the one with the decision last. */
async function complete(markers: readonly CommitMarker[], changed: ChangedFiles): Promise<FinishedCommit> {
  const failures: unknown[] = [];
  for (const marker of markers) {
    try {
      await applyOne(marker, changed);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  for (const marker of markers.toReversed()) await removeMarker(marker);
  log(1, 'finished a commit to %s', markers.map(({ file }) => file).join(', '));
  return 'done';
}

async function applyOne(marker: CommitMarker, changed: ChangedFiles): Promise<void> {
  const { file, staged } = marker;
  if (staged === undefined) throw new VarveError('CORRUPT', `cannot use ${file}: what was to become of it is lost`);
  if (await isApplied(marker, staged.staged)) return;
  if (changed === 'left') return await dropCopy(marker);
  await using _lock = await lockFor(file);
  if (changed !== 'overwritten' && !(await isUnchanged(marker, staged))) throw changedError(file);
  if (staged.staged.kind === 'copy') return await takePlace(copyPath(marker), file);
  await using _writable = await makeWritable(file);
  await using device = await openFileDevice(file);
  await applyStagedQcow2(device, file, staged.staged.after);
}

async function lockFor(file: string): Promise<AsyncDisposable> {
  try {
    return await lockForCommit(file);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return { async [Symbol.asyncDispose]() {} };
    if (!isVarveError(error, 'BUSY')) throw error;
    const why = 'a transaction on it and other files was cut off, and is still to be finished here';
    throw new VarveError('BUSY', `${error.message}; ${why}`, { cause: error });
  }
}

/** Whether the file was changed by the one step that changes it. */
async function isApplied(marker: CommitMarker, record: StagedRecord): Promise<boolean> {
  if (record.kind === 'copy') return !(await isRegularFile(copyPath(marker)));
  await using device = await openFileDevice(marker.file, { readOnly: true });
  const { l1TableOffset } = await readHeader(device, marker.file);
  if (l1TableOffset === record.after.l1TableOffset) return true;
  if (l1TableOffset === record.before) return false;
  throw changedError(marker.file);
}

async function isRegularFile(path: string): Promise<boolean> {
  try {
    return (await fs.lstat(path)).isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw systemError(`open ${path}`, error);
  }
}

async function isUnchanged({ file, plan }: CommitMarker, { staged, stamp }: StagedFile): Promise<boolean> {
  try {
    const state = await compareToStamp(file, stamp);
    if (state !== 'unknown' || staged.kind === 'copy') return state === 'unchanged';
    // A power cut may keep the time of the one write that changes it, and lose that.
    const { mtimeMs } = await fs.stat(file);
    const bootMs = Date.now() - os.uptime() * 1000;
    return plan!.bootId !== ownIdentity().bootId && mtimeMs < bootMs - clockToleranceMs;
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return false;
    throw error;
  }
}

async function undo(markers: readonly CommitMarker[]): Promise<FinishedCommit> {
  for (const marker of markers.toReversed()) {
    try {
      if (marker.plan !== undefined) await dropCopy(marker);
      await removeMarker(marker);
    } catch (error) {
      // The files are what they were, whoever tidies up.
      if (!isVarveError(error, 'PERMISSION', 'READ_ONLY')) throw error;
    }
  }
  return 'undone';
}

async function dropCopy(marker: CommitMarker): Promise<void> {
  try {
    await fs.rm(copyPath(marker), { force: true });
  } catch (error) {
    throw systemError(`delete ${copyPath(marker)}`, error);
  }
}

async function removeMarker(marker: CommitMarker): Promise<void> {
  try {
    await marker.remove();
  } catch (error) {
    throw systemError(`end the commit to ${marker.file}`, error);
  }
}

function changedError(file: string): VarveError {
  const what = `${basename(file)} was changed after a transaction on it and other files was cut off`;
  return new VarveError('CONFLICT', `cannot finish the commit to ${file}: ${what}; ${advice(file)}`);
}

function advice(file: string): string {
  return `varve tx recover ${file} --force gives it the transaction's content, --give-up leaves it as it is`;
}

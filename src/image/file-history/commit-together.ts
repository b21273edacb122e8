import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { isLinux } from '../../linux/libc.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { log } from '../../log/log.ts';
import { stampFile } from './base-stamp.ts';
import { CommitMarker } from './commit-marker.ts';
import { applyOrDrop, type CommitOverlayOptions, OverlayCommit } from './commit-overlay.ts';
import { beside } from './file-places.ts';
import type { StagedChange } from './staged-change.ts';

/**
 * Merges overlays into the files that they build on, all of them or none: a kill at any moment leaves files that the next
 * who opens one with Varve finds all changed, or all as they were. Each of them changes in one step, one soon after the
 * other; programs that know nothing of this may see some changed and others not yet. Durable when this returns.
 *
 * @throws VarveError as `commitOverlay` does; where it was decided already, the error says so
 */
export async function commitTogether(overlays: readonly string[], options: CommitOverlayOptions): Promise<void> {
  await log.scope(`commit ${overlays.join(', ')}`, async () => {
    await using stack = new AsyncDisposableStack();
    const commits: OverlayCommit[] = [];
    for (const overlay of overlays) commits.push(stack.use(await OverlayCommit.begin(overlay, options)));
    const changing = commits.filter(({ own }) => own.length > 0);
    if (changing.length > 1 && !isLinux) throw noLocks();
    if (changing.length > 1) await commitAll(changing, options.signal);
    else for (const commit of changing) await commitAlone(commit);
    for (const commit of commits) await commit.end();
  });
}

function noLocks(): VarveError {
  return new VarveError('UNSUPPORTED', 'several disk files can be changed together on Linux only');
}

async function commitAlone(commit: OverlayCommit): Promise<void> {
  await using staged = await commit.stage();
  if (staged !== undefined) await applyOrDrop(staged);
}

async function commitAll(commits: readonly OverlayCommit[], signal: AbortSignal | undefined): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const [markers, changes]: [CommitMarker[], StagedChange[]] = [[], []];
  try {
    const plans = plansFor(commits.map(({ base }) => base.path));
    for (const [index, { base }] of commits.entries()) {
      markers.push(stack.use(await CommitMarker.create(base.path, plans[index]!)));
    }
    for (const [index, commit] of commits.entries()) {
      const change = await stageOne(commit, markers[index]!);
      if (change !== undefined) changes.push(stack.use(change));
    }
    if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
  } catch (error) {
    for (const change of changes) await change.drop();
    for (const marker of markers.toReversed()) await marker.remove();
    throw error;
  }
  await markers[0]!.decide();
  await applyAll(changes);
  for (const marker of markers.toReversed()) await marker.remove();
  for (const change of changes) await change.release();
}

function plansFor(paths: readonly string[]) {
  const common = { version: 1, id: randomBytes(16).toString('hex'), bootId: ownIdentity().bootId } as const;
  return paths.map((path, index) => {
    const files = paths.map((each) => relative(dirname(path), each));
    return { ...common, files, index, copy: basename(beside(path)) };
  });
}

async function stageOne(commit: OverlayCommit, marker: CommitMarker): Promise<StagedChange | undefined> {
  const { path } = commit.base;
  const change = await commit.stage(join(dirname(path), marker.plan!.copy));
  if (change === undefined) return undefined;
  try {
    // What a power cut could still take from it would look like another's change.
    await using file = await fs.open(path, 'r');
    await file.sync();
    await marker.addStaged({ staged: change.record, stamp: await stampFile(path) });
    return change;
  } catch (error) {
    await change.drop();
    await change[Symbol.asyncDispose]();
    throw systemError(`commit to ${path}`, error);
  }
}

async function applyAll(changes: readonly StagedChange[]): Promise<void> {
  try {
    for (const change of changes) await change.apply();
  } catch (error) {
    const what =
      'it is decided, and whoever opens one of its files with Varve finishes it; varve tx recover does so, too';
    const why = error instanceof Error ? error.message : String(error);
    throw new VarveError('IO', `${why}; ${what}`, { cause: error });
  }
}

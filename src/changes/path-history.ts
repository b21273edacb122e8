import { isVarveError, VarveError } from '../base/varve-error.ts';
import { type Guest, openGuest } from '../guest/open-guest.ts';
import { diffSnapshots } from '../image/diff-snapshots.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { diffGuests } from './diff-guests.ts';
import type { FileChange } from './file-change.ts';

/** A snapshot in which something became of a file. */
export interface PathChange {
  readonly snapshot: Snapshot;
  /** Good until the next one is asked for. */
  readonly changes: readonly FileChange[];
}

/**
 * The snapshots, of those given from the oldest on, in which a file or what is below a directory changed against the one
 * before, the newest first; `path` begins with a `/`. Snapshots between which nothing of the disk changed are not looked into.
 *
 * @throws VarveError `UNSUPPORTED`, `CORRUPT`; `NOT_FOUND` where no snapshot has the path; and the reason of the signal
 */
export async function* pathHistory(
  store: Store,
  snapshots: readonly Snapshot[],
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<PathChange> {
  let isThere = false;
  for (let index = snapshots.length - 1; index >= 0; index--) {
    const [before, snapshot] = [snapshots[index - 1], snapshots[index]!];
    await using stack = new AsyncDisposableStack();
    const changes = await changesIn(store, { before, after: snapshot, path, signal }, stack);
    if (changes.length === 0) continue;
    isThere = true;
    yield { snapshot, changes };
  }
  if (isThere || snapshots.length === 0) return;
  const [first, last] = [referenceOf(snapshots[0]!), referenceOf(snapshots.at(-1)!)];
  throw new VarveError('NOT_FOUND', `there is no ${path} in ${first === last ? first : `${first} to ${last}`}`);
}

interface Step {
  readonly before: Snapshot | undefined;
  readonly after: Snapshot;
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

/** Empty for nothing; of the first snapshot, all that is there is new. */
async function changesIn(
  store: Store,
  { before, after, path, signal }: Step,
  stack: AsyncDisposableStack,
): Promise<readonly FileChange[]> {
  const ranges = before && (await Array.fromAsync(diffSnapshots(store, before, after, signal)));
  if (ranges !== undefined && ranges.length === 0) return [];
  const open = async (snapshot: Snapshot) => {
    return { label: referenceOf(snapshot), guest: await openSnapshotGuest(store, snapshot, stack) };
  };
  const now = await open(after);
  if (before === undefined || ranges === undefined) {
    const file = await now.guest.tree.find(path, { followLast: path.endsWith('/') });
    return file === undefined ? [] : [{ kind: 'added', path: file.path, differences: [], after: file }];
  }
  try {
    const options = { ranges: () => Promise.resolve(ranges), signal, paths: { before: path, after: path } };
    return (await diffGuests(await open(before), now, stack, options)).changes;
  } catch (error) {
    // Neither has it.
    if (isVarveError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

async function openSnapshotGuest(store: Store, snapshot: Snapshot, stack: AsyncDisposableStack): Promise<Guest> {
  const device = stack.use(await store.openSnapshot(snapshot));
  return stack.use(await openGuest(device, { name: referenceOf(snapshot) }));
}

import { isVarveError } from '../base/varve-error.ts';
import { openGuest } from '../guest/open-guest.ts';
import { diffSnapshots } from '../image/diff-snapshots.ts';
import { printable } from '../log/printable.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { OpenGuest } from './compared-volumes.ts';
import { diffGuests } from './diff-guests.ts';

/** Only so many files are named in a message. */
const mostNames = 5;

/** The files that differ between two snapshots, for a message; undefined where nobody can tell. */
export async function filesBetween(store: Store, before: Snapshot, after: Snapshot): Promise<string | undefined> {
  await using stack = new AsyncDisposableStack();
  const open = async (snapshot: Snapshot): Promise<OpenGuest> => {
    const label = referenceOf(snapshot);
    const device = stack.use(await store.openSnapshot(snapshot));
    return { label, guest: stack.use(await openGuest(device, { name: label })) };
  };
  try {
    const ranges = () => Array.fromAsync(diffSnapshots(store, before, after));
    const { changes } = await diffGuests(await open(before), await open(after), stack, { ranges });
    if (changes.length === 0) return undefined;
    const names = changes.slice(0, mostNames).map(({ path }) => printable(path));
    const more = changes.length - names.length;
    return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
  } catch (error) {
    // What a message would have said is no reason to fail in another way.
    if (isVarveError(error)) return undefined;
    throw error;
  }
}

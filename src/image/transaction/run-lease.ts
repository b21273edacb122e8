import { isVarveError } from '../../base/varve-error.ts';
import { takeWriteLease } from '../../store/overlay/edit-overlays.ts';
import type { Store } from '../../store/store.ts';
import { rollBackTransaction } from './end-transaction.ts';
import { listTransactions } from './list-transactions.ts';
import { isRunName, newRunName } from './transaction-name.ts';

/** The name of a transaction for a command, kept from those who tidy up until it is disposed of. */
export interface RunLease extends Disposable {
  readonly name: string;
}

/** Takes a name for the time of a command that works on `image`. @throws VarveError `NOT_FOUND` */
export function takeRunLease(store: Store, image: string, purpose: string): RunLease {
  const name = newRunName();
  const lease = takeWriteLease(store, { image: store.images.get(image).id, owner: ownerOf(name), purpose });
  return { name, [Symbol.dispose]: () => store.leases.release(lease) };
}

/** Forgets the transactions of commands whose processes have died. */
export function dropDeadRuns(store: Store): void {
  // In this order: each has had its lease before it could be seen.
  const runs = listTransactions(store).filter(({ name }) => isRunName(name));
  const living = new Set(store.leases.living('write').map(({ owner }) => owner));
  for (const { name } of runs) {
    if (living.has(ownerOf(name)) || living.has(name)) continue;
    try {
      rollBackTransaction(store, name);
    } catch (error) {
      // Another process does it at this moment.
      if (!isVarveError(error, 'NOT_FOUND', 'BUSY')) throw error;
    }
  }
}

/** Whom the lease belongs to; no transaction has such a name. */
function ownerOf(name: string): string {
  return `${name}!`;
}

import fs from 'node:fs';
import { VarveError } from '../../base/varve-error.ts';
import type { Lease } from '../../store/lease.ts';
import type { Store } from '../../store/store.ts';

/** Whom the lease belongs to that stands for the overlays of all machines: they are too many for one each. */
const owner = 'machines';

/** The process that has the machines of a store; undefined where nobody living has. */
export function machinesHolder(store: Store): Lease | undefined {
  return store.leases.living('write').find((lease) => lease.owner === owner);
}

/**
 * Makes this process the one that writes to the overlays of all machines, until what is returned is disposed of; `socket`
 * is where others can talk to it.
 * @throws VarveError `BUSY` naming who does already
 */
export function holdMachines(store: Store, purpose: string, socket?: string): Disposable {
  store.requireWritable();
  const { lease, stale } = store.catalog.write(() => {
    const holder = machinesHolder(store);
    if (holder !== undefined) {
      const who = `${holder.purpose} (process ${holder.pid})`;
      throw new VarveError('BUSY', `the machines of ${store.path} are in use: ${who}; end it first`);
    }
    const stale = store.catalog.all("SELECT socket FROM leases WHERE kind = 'write' AND owner = ?", owner);
    store.leases.reap();
    return { lease: store.leases.take('write', purpose, { owner, socket }), stale };
  });
  for (const row of stale) if (typeof row.socket === 'string') fs.rmSync(row.socket, { force: true });
  return { [Symbol.dispose]: () => store.leases.release(lease) };
}

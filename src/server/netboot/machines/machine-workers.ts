import { AskedWorker } from '../../../store/overlay/asked-worker.ts';
import type { Store } from '../../../store/store.ts';
import { type MachineWork, type MachineWorkResults, performWork } from './machine-work.ts';
import { startMachinesWorker } from './machines-worker.ts';

/** Does what waits for the disk. */
export interface MachineWorkers extends AsyncDisposable {
  /** @throws what doing it throws */
  do<Kind extends MachineWork['kind']>(work: MachineWork & { readonly kind: Kind }): Promise<MachineWorkResults[Kind]>;
}

/** In threads: requests of machines go on meanwhile. Those whose boot begins do not wait for contents brought in. */
export function machineThreads({ path: storePath }: Store): MachineWorkers {
  const quick = new AskedWorker(() => startMachinesWorker({ storePath, isBackground: false }));
  const committing = new AskedWorker(() => startMachinesWorker({ storePath, isBackground: true }));
  return {
    do: (work) => (work.kind === 'commit' ? committing : quick).ask(work) as never,
    async [Symbol.asyncDispose]() {
      await using stack = new AsyncDisposableStack();
      stack.use(quick);
      stack.use(committing);
    },
  };
}

/** In this thread, where nobody is served. */
export function workHere(store: Store): MachineWorkers {
  return {
    do: (work) => performWork(store, work, 'in threads') as never,
    async [Symbol.asyncDispose]() {},
  };
}

import { machinesHolder } from '../../image/machine/hold-machines.ts';
import type { ControlMessage } from '../../server/control/control-server.ts';
import type { Machines } from '../../server/netboot/machines/machines.ts';
import type { Store } from '../../store/store.ts';

/**
 * Asks the process that serves a store's machines: `action` is `commit`, `reset` and so on. Undefined where none does.
 * @throws what it answers
 */
export async function askMachines(
  store: Store,
  action: string,
  message: ControlMessage,
): Promise<ControlMessage | undefined> {
  return await ask(store, { method: 'POST', path: `/${action}`, message });
}

/** All machines, as the process that serves them knows them; undefined where none does. */
export async function askForMachines(store: Store): Promise<ControlMessage | undefined> {
  return await ask(store, { method: 'GET', path: '' });
}

async function ask(
  store: Store,
  { method, path, message }: { method: 'GET' | 'POST'; path: string; message?: ControlMessage },
): Promise<ControlMessage | undefined> {
  const socket = machinesHolder(store)?.socket;
  if (socket === undefined) return undefined;
  const { askControl } = await import('../../server/control/control-client.ts');
  const { machinesPath } = await import('../../server/netboot/machines/machine-control.ts');
  return await askControl(socket, { method, path: machinesPath + path, message });
}

/** Has this process do something to machines that nobody serves. @throws VarveError `BUSY` where somebody does after all */
export async function withMachines<T>(
  store: Store,
  purpose: string,
  use: (machines: Machines) => Promise<T>,
): Promise<T> {
  const { Machines: machinesOf } = await import('../../server/netboot/machines/machines.ts');
  await using machines = await machinesOf.open(store, undefined, { purpose });
  return await use(machines);
}

import { VarveError } from '../../base/varve-error.ts';
import { type OpenDisks, rollBackToSavepoint, setSavepoint } from '../../image/transaction/savepoints.ts';
import type { Store } from '../../store/store.ts';
import { askControl } from '../control/control-client.ts';
import type { ControlMessage, ControlServer } from '../control/control-server.ts';

/** What can be asked of who has a transaction's disks open. */
type Action = 'savepoint' | 'rollback';

/** A transaction whose disks this process has open. */
export interface ControlledTransaction {
  readonly store: Store;
  readonly name: string;
  readonly disks: OpenDisks;
  /** Where one of its file systems is mounted, which cannot go back. */
  readonly mounted: string | undefined;
}

/** Lets others, the transaction's command among them, set savepoints and go back to them, until it is disposed of. */
export function answerSavepoints(control: ControlServer, transaction: ControlledTransaction): Disposable {
  const { disks, mounted, name, store } = transaction;
  using handlers = new DisposableStack();
  const handle = (action: Action, answer: (savepoint: string | undefined) => Promise<string>): void => {
    const perform = async ({ savepoint }: ControlMessage): Promise<ControlMessage> => ({
      savepoint: await answer(typeof savepoint === 'string' ? savepoint : undefined),
    });
    handlers.use(control.handle('POST', pathOf(name, action), perform));
  };
  handle('savepoint', (savepoint) => setSavepoint(store, name, savepoint, disks));
  handle('rollback', async (savepoint = '') => {
    if (mounted !== undefined) {
      throw new VarveError('BUSY', `cannot take ${name} back: it is mounted on ${mounted}, and would not notice`);
    }
    await rollBackToSavepoint(store, name, savepoint, disks);
    return savepoint;
  });
  return handlers.move();
}

/**
 * Asks the process that has a transaction's disks open to set a savepoint or go back to one. The savepoint's name; undefined
 * where nobody has who can be asked.
 *
 * @throws VarveError what it answers
 */
export async function askForSavepoint(
  store: Store,
  name: string,
  action: Action,
  savepoint?: string,
): Promise<string | undefined> {
  const socket = store.leases.living('write').find((lease) => lease.owner === name)?.socket;
  if (socket === undefined) return undefined;
  const answer = await askControl(socket, { method: 'POST', path: pathOf(name, action), message: { savepoint } });
  return answer === undefined ? undefined : String(answer.savepoint);
}

function pathOf(name: string, action: Action): string {
  return `/transactions/${name}/${action}`;
}

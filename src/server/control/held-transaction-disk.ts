import { VarveError } from '../../base/varve-error.ts';
import { openTransactionDisk } from '../../image/transaction/open-transaction-disk.ts';
import type { Store } from '../../store/store.ts';
import type { ControlServer } from './control-server.ts';
import { HeldDisk } from './held-disk.ts';
import { answerForDisk } from './transaction-disk.ts';

/** What a transaction makes of an image, as `web@tx-3f9a01c2` names it. */
export interface TransactionDiskName {
  readonly image: string;
  readonly transaction: string;
}

/** A transaction's disk that this process holds open for clients; through the control socket, others set savepoints. */
export class HeldTransactionDisk extends HeldDisk {
  /** Opens it; nobody can set savepoints where no `control` is given. @throws VarveError as `openTransactionDisk` does */
  static async open(
    store: Store,
    name: TransactionDiskName,
    control: ControlServer | undefined,
    verb: 'serve' | 'attach',
  ): Promise<HeldTransactionDisk> {
    const { image, transaction } = name;
    const purpose = `${verb} ${image}@${transaction}`;
    const live = await openTransactionDisk(store, name, { purpose, socket: control?.path });
    const held = new HeldTransactionDisk(live);
    const { uuid } = store.images.get(image);
    const disk = {
      putOnTop: (layerId: string) => live.putOnTop(layerId),
      cutTo: (count: number, layerId: string) => live.cutTo(count, layerId),
      requireUnused: async () => held.#requireUnused(verb),
    };
    if (control !== undefined) held.handlers.use(answerForDisk(control, { transaction, uuid, disk }));
    return held;
  }

  #requireUnused(verb: 'serve' | 'attach'): void {
    if (this.clientCount === 0) return;
    const what = `cannot take ${this.live.name} back`;
    const why =
      verb === 'attach'
        ? `it is attached (process ${process.pid}), and the kernel would not notice; detach it first`
        : `${this.clientCount} of its clients (process ${process.pid} serves it) would not notice; stop them first`;
    throw new VarveError('BUSY', `${what}: ${why}`);
  }
}

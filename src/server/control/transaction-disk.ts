import { VarveError } from '../../base/varve-error.ts';
import { transactionStacks } from '../../image/transaction/list-transactions.ts';
import type { OpenDisk, OpenDisks } from '../../image/transaction/savepoints.ts';
import { imageOf } from '../../store/overlay/edit-overlays.ts';
import type { Store } from '../../store/store.ts';
import { askControl } from './control-client.ts';
import type { ControlMessage, ControlServer } from './control-server.ts';

/** A disk of a transaction, open in this process. */
export interface AnsweringDisk {
  readonly transaction: string;
  /** Of the image. */
  readonly uuid: string;
  readonly disk: OpenDisk;
}

/** Lets others set savepoints of a transaction's disk, and go back to them, until it is disposed of. */
export function answerForDisk(control: ControlServer, { disk, transaction, uuid }: AnsweringDisk): Disposable {
  using handlers = new DisposableStack();
  const handle = (action: string, perform: (message: ControlMessage) => Promise<void>): void =>
    void handlers.use(
      control.handle('POST', diskPath(transaction, uuid, action), async (message) => {
        await perform(message);
        return {};
      }),
    );
  handle('put-on-top', ({ layer }) => disk.putOnTop(String(layer)));
  handle('require-unused', async () => disk.requireUnused?.());
  handle('cut-to', ({ count, layer }) => disk.cutTo(Number(count), String(layer)));
  return handlers.move();
}

/** The disks of a transaction that other processes have open and answer for. */
export function heldDisks(store: Store, transaction: string): OpenDisks {
  const held = new Map<string, OpenDisk>();
  for (const [layer] of transactionStacks(store, transaction)) {
    const { image, owner } = layer!;
    const socket = store.leases.writerOf(image, owner)?.socket;
    const { name, uuid } = imageOf(store, image);
    if (socket !== undefined) held.set(name, remoteDisk(socket, { name, transaction, uuid }));
  }
  return held;
}

function remoteDisk(
  socket: string,
  { name, transaction, uuid }: { readonly name: string; readonly transaction: string; readonly uuid: string },
): OpenDisk {
  const ask = async (action: string, message: ControlMessage = {}): Promise<void> => {
    const path = diskPath(transaction, uuid, action);
    if ((await askControl(socket, { method: 'POST', path, message })) !== undefined) return;
    throw new VarveError('BUSY', `${name}@${transaction} is just being closed; try again`);
  };
  return {
    putOnTop: (layer) => ask('put-on-top', { layer }),
    requireUnused: () => ask('require-unused'),
    cutTo: (count, layer) => ask('cut-to', { count, layer }),
  };
}

function diskPath(transaction: string, uuid: string, action: string): string {
  return `/transactions/${transaction}/${uuid}/${action}`;
}

import { VarveError } from '../../base/varve-error.ts';
import type { Stack } from '../../store/overlay/commit-stacks.ts';
import { addLayer, recordLayer } from '../../store/overlay/edit-overlays.ts';
import type { Layer } from '../../store/overlay/overlay-table.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import type { Store } from '../../store/store.ts';
import { flushTop, holdStacks } from './end-transaction.ts';
import { transactionStacks } from './list-transactions.ts';

/** A disk of a transaction that is open, in this process or another: what becomes of the layers that it writes to. */
export interface OpenDisk {
  /** Puts a layer on top that the catalog has there already; what was written before is durable then, below it. */
  putOnTop(layerId: string): Promise<void>;
  /** @throws VarveError `BUSY` where somebody uses the disk who would not notice that it goes back */
  requireUnused?(): Promise<void>;
  /** Puts such a layer above the lowest `count`, in place of what was there. */
  cutTo(count: number, layerId: string): Promise<void>;
}

/** The disks of a transaction that are open, by the names of their images. */
export type OpenDisks = ReadonlyMap<string, OpenDisk>;

/**
 * Remembers the present state of a transaction's disks, all of them, under a name; the next number where none is given.
 * `open` has those of its disks that somebody has open; nobody should write to them meanwhile. The name.
 *
 * @throws VarveError `NOT_FOUND`, `EXISTS`, `INVALID` for what is no name, `BUSY` where somebody else has one open
 */
export async function setSavepoint(
  store: Store,
  transaction: string,
  given?: string,
  open: OpenDisks = new Map(),
): Promise<string> {
  const closed = closedStacks(store, transaction, open);
  using _leases = holdStacks(store, closed, 'savepoint');
  for (const stack of closed) await flushTop(store, stack);
  const { added, name } = store.catalog.write(() => {
    const stacks = transactionStacks(store, transaction);
    const name = newName(stacks, given);
    for (const stack of stacks) store.overlays.setSavepoint(stack.at(-1)!.id, name);
    return { name, added: stacks.map((stack) => addLayer(store, stack[0]!)) };
  });
  for (const stack of transactionStacks(store, transaction)) {
    for (const { id, savepoint } of stack) if (savepoint === name) recordLayer(store, id);
  }
  for (const layer of added) await open.get(imageOf(store, layer))?.putOnTop(layer.id);
  return name;
}

/**
 * Takes a transaction's disks back to a savepoint, all of them; later savepoints are forgotten, and that one stays. Nobody
 * should be using the disks, and `open` has those that somebody has open.
 *
 * @throws VarveError `NOT_FOUND`, `BUSY` where somebody uses one, or has it open who is not in `open`
 */
export async function rollBackToSavepoint(
  store: Store,
  transaction: string,
  name: string,
  open: OpenDisks = new Map(),
): Promise<void> {
  using _leases = holdStacks(store, closedStacks(store, transaction, open), 'roll back');
  for (const disk of open.values()) await disk.requireUnused?.();
  const changes = store.catalog.write(() =>
    transactionStacks(store, transaction).map((stack) => {
      const count = stack.findIndex(({ savepoint }) => savepoint === name) + 1;
      if (count === 0) throw unknownSavepoint(transaction, name, stack);
      const dropped = dropLayers(store, stack.slice(count));
      return { count, dropped, added: addLayer(store, stack[0]!) };
    }),
  );
  for (const { added, count, dropped } of changes) {
    await open.get(imageOf(store, added))?.cutTo(count, added.id);
    removeLayerFiles(store, dropped);
  }
}

function closedStacks(store: Store, transaction: string, open: OpenDisks): Stack[] {
  return transactionStacks(store, transaction).filter(([layer]) => !open.has(imageOf(store, layer!)));
}

function savepointsOf(stack: Stack): string[] {
  return stack.flatMap(({ savepoint }) => savepoint ?? []);
}

function newName(stacks: readonly Stack[], given: string | undefined): string {
  const taken = new Set(stacks.flatMap(savepointsOf));
  if (given === undefined) {
    let number = 1;
    while (taken.has(String(number))) number += 1;
    return String(number);
  }
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(given)) {
    const shape = 'it has letters, digits, dots and dashes, and begins with a letter or digit';
    throw new VarveError('INVALID', `${JSON.stringify(given)} is no name for a savepoint: ${shape}`);
  }
  if (taken.has(given)) throw new VarveError('EXISTS', `there is a savepoint ${given} already; choose another name`);
  return given;
}

function unknownSavepoint(transaction: string, name: string, stack: Stack): VarveError {
  const names = savepointsOf(stack).join(', ') || 'none';
  return new VarveError('NOT_FOUND', `${transaction} has no savepoint ${name}; it has ${names}`);
}

function imageOf(store: Store, { image }: Layer): string {
  return String(store.catalog.get('SELECT name FROM images WHERE id = ?', image)?.name);
}

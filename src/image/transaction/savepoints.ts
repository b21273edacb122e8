import { VarveError } from '../../base/varve-error.ts';
import type { Stack } from '../../store/overlay/commit-stacks.ts';
import { addLayer, recordLayer } from '../../store/overlay/edit-overlays.ts';
import type { Layer } from '../../store/overlay/overlay-table.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import type { Store } from '../../store/store.ts';
import type { LiveImage } from '../live-image.ts';
import { flushTop, holdStacks } from './end-transaction.ts';
import { transactionStacks } from './list-transactions.ts';

/** The disks of a transaction that this process has open, by the names of their images. */
export type OpenDisks = ReadonlyMap<string, LiveImage>;

/**
 * Remembers the present state of a transaction's disks, all of them, under a name; the next number where none is given.
 * `open` has all of its disks where this process has them open; nobody should write to them meanwhile. The name.
 *
 * @throws VarveError `NOT_FOUND`, `EXISTS`, `INVALID` for what is no name, `BUSY` where somebody else has them open
 */
export async function setSavepoint(
  store: Store,
  transaction: string,
  given?: string,
  open?: OpenDisks,
): Promise<string> {
  using _leases =
    open === undefined ? holdStacks(store, transactionStacks(store, transaction), 'savepoint') : undefined;
  if (open === undefined) for (const stack of transactionStacks(store, transaction)) await flushTop(store, stack);
  const { added, name } = store.catalog.write(() => {
    const stacks = transactionStacks(store, transaction);
    const name = newName(stacks, given);
    for (const stack of stacks) store.overlays.setSavepoint(stack.at(-1)!.id, name);
    return { name, added: stacks.map((stack) => addLayer(store, stack[0]!)) };
  });
  for (const stack of transactionStacks(store, transaction)) {
    for (const { id, savepoint } of stack) if (savepoint === name) recordLayer(store, id);
  }
  for (const layer of added) await open?.get(imageOf(store, layer))?.putOnTop(layer.id);
  return name;
}

/**
 * Takes a transaction's disks back to a savepoint, all of them; later savepoints are forgotten, and that one stays. Nobody
 * should be using the disks.
 *
 * @throws VarveError `NOT_FOUND`, `BUSY` where somebody else has them open
 */
export async function rollBackToSavepoint(
  store: Store,
  transaction: string,
  name: string,
  open?: OpenDisks,
): Promise<void> {
  using _leases =
    open === undefined ? holdStacks(store, transactionStacks(store, transaction), 'roll back') : undefined;
  const changes = store.catalog.write(() =>
    transactionStacks(store, transaction).map((stack) => {
      const count = stack.findIndex(({ savepoint }) => savepoint === name) + 1;
      if (count === 0) throw unknownSavepoint(transaction, name, stack);
      const dropped = dropLayers(store, stack.slice(count));
      return { count, dropped, added: addLayer(store, stack[0]!) };
    }),
  );
  for (const { added, count, dropped } of changes) {
    await open?.get(imageOf(store, added))?.cutTo(count, added.id);
    removeLayerFiles(store, dropped);
  }
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

import { VarveError } from '../../base/varve-error.ts';
import type { Stack } from '../../store/overlay/commit-stacks.ts';
import { imageOf } from '../../store/overlay/edit-overlays.ts';
import { overlayLength } from '../../store/overlay/overlay-files.ts';
import type { Layer } from '../../store/overlay/overlay-table.ts';
import type { Store } from '../../store/store.ts';
import { isTransactionName } from './transaction-name.ts';

/** An image in a transaction. */
export interface TransactionDisk {
  readonly image: string;
  /** The number of the snapshot that the transaction reads. */
  readonly baseNumber: number;
  /** What its changes take on disk, in bytes. */
  readonly storedBytes: number;
  /** Whether the image has another newest snapshot by now. */
  readonly hasMoved: boolean;
}

/** A transaction that is neither committed nor rolled back. */
export interface TransactionInfo {
  readonly name: string;
  /** When it began, milliseconds since 1970. */
  readonly since: number;
  readonly disks: readonly TransactionDisk[];
  /** The oldest first. */
  readonly savepoints: readonly string[];
  /** Who has it open, in words, and its process. */
  readonly holder?: { readonly purpose: string; readonly pid: number } | undefined;
}

/** The open transactions of a store, the oldest first. */
export function listTransactions(store: Store): TransactionInfo[] {
  const layers = store.overlays.all().filter(({ owner }) => isTransactionName(owner));
  const byName = Map.groupBy(layers, ({ owner }) => owner);
  return [...byName].map(([name, own]) => infoOf(store, name, stacksOf(own))).sort((a, b) => a.since - b.since);
}

/** The stacks of a transaction, one an image. @throws VarveError `NOT_FOUND` */
export function transactionStacks(store: Store, name: string): Stack[] {
  const layers = store.overlays.all().filter(({ owner }) => owner === name);
  if (layers.length === 0) {
    throw new VarveError('NOT_FOUND', `there is no transaction ${name}; varve tx list shows those that are open`);
  }
  return stacksOf(layers);
}

function stacksOf(layers: readonly Layer[]): Stack[] {
  return [...Map.groupBy(layers, ({ image }) => image).values()];
}

function infoOf(store: Store, name: string, stacks: readonly Stack[]): TransactionInfo {
  const holder = stacks
    .map(([layer]) => store.leases.writerOf(layer!.image, name))
    .find((lease) => lease !== undefined);
  return {
    name,
    since: Math.min(...stacks.flat().map(({ created }) => created)),
    disks: stacks.map((stack) => diskOf(store, stack)),
    savepoints: stacks[0]!.flatMap(({ savepoint }) => savepoint ?? []),
    holder: holder && { purpose: holder.purpose, pid: holder.pid },
  };
}

function diskOf(store: Store, stack: Stack): TransactionDisk {
  const { image } = stack[0]!;
  const { name } = imageOf(store, image);
  const baseNumber = stack[0]!.base!.number;
  // One that is being stored is not resolved yet.
  const hasMoved = store.overlays.pending(image).length > 0 || store.images.resolve(name).number !== baseNumber;
  return {
    ...{ image: name, baseNumber, hasMoved },
    storedBytes: stack.reduce((sum, { id }) => sum + overlayLength(store.path, id), 0),
  };
}

import { randomHex } from '../../base/random.ts';
import { VarveError } from '../../base/varve-error.ts';

const shape = /^(tx|run)-[0-9a-f]{8}$/;

/** A name for a new transaction: `tx-3f9a01c2`. It owns the overlays that hold its changes. */
export function newTransactionName(): string {
  return `tx-${randomHex(4)}`;
}

/** A name for one that a command runs in: `run-3f9a01c2`. It is of no use any more when who runs it has died. */
export function newRunName(): string {
  return `run-${randomHex(4)}`;
}

/** Whether a transaction is that of a command that runs in it. */
export function isRunName(name: string): boolean {
  return isTransactionName(name) && name.startsWith('run-');
}

/** Whether `text` is the name of a transaction, which may be over. */
export function isTransactionName(text: string): boolean {
  return shape.test(text);
}

/** `web@tx-3f9a01c2`, taken apart: the disk that a transaction makes of an image; undefined for anything else. */
export function transactionDisk(
  reference: string,
): { readonly image: string; readonly transaction: string } | undefined {
  const [image, transaction, ...rest] = reference.split('@');
  if (!image || transaction === undefined || rest.length > 0 || !isTransactionName(transaction)) return undefined;
  return { image, transaction };
}

/** @throws VarveError `INVALID` for what is no name of a transaction */
export function requireTransactionName(text: string): string {
  if (isTransactionName(text)) return text;
  throw new VarveError('INVALID', `${JSON.stringify(text)} is no transaction; varve tx list shows those that are open`);
}

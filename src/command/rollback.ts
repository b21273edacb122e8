import type { Command } from 'commander';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';

interface Options {
  readonly to?: string;
}

/** `varve rollback TX` */
export const rollbackCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve rollback tx-3f9a01c2', 'forget what a transaction changed'],
    ['varve rollback tx-3f9a01c2 --to unpacked', 'go back to a savepoint of it, and go on from there'],
    ['varve tx list', 'those that are open'],
  ],
  configure: (command: Command) =>
    command
      .argument('<transaction>', 'its name: tx-3f9a01c2')
      .option('--to <savepoint>', 'only what was changed since then'),
  async run(context, [text], { to }) {
    const { requireTransactionName } = await import('../image/transaction/transaction-name.ts');
    const { rollBackTransaction, transactionImages } = await import('../image/transaction/end-transaction.ts');
    const name = requireTransactionName(text);
    await using store = await context.openStore();
    const images = transactionImages(store, name);
    if (to !== undefined) return await goBack(context, store, { name, to, images });
    rollBackTransaction(store, name);
    context.show({ transaction: name, images }, () => `${name} is gone; ${images.join(', ')} is as it was`);
  },
};

async function goBack(
  context: CommandContext,
  store: Store,
  { images, name, to }: { readonly images: readonly string[]; readonly name: string; readonly to: string },
): Promise<void> {
  const { rollBackToSavepoint } = await import('../image/transaction/savepoints.ts');
  const { heldDisks } = await import('../server/control/transaction-disk.ts');
  await rollBackToSavepoint(store, name, to, heldDisks(store, name));
  context.show({ transaction: name, images, savepoint: to }, () => `${name} is as it was at ${to}`);
}

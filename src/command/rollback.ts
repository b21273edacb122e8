import type { Command } from 'commander';
import type { CommandModule } from './framework/command-module.ts';

/** `varve rollback TX` */
export const rollbackCommand: CommandModule<[string]> = {
  examples: [
    ['varve rollback tx-3f9a01c2', 'forget what a transaction changed'],
    ['varve tx list', 'those that are open'],
  ],
  configure: (command: Command) => command.argument('<transaction>', 'its name: tx-3f9a01c2'),
  async run(context, [text]) {
    const { requireTransactionName } = await import('../image/transaction/transaction-name.ts');
    const { rollBackTransaction, transactionImages } = await import('../image/transaction/end-transaction.ts');
    const name = requireTransactionName(text);
    await using store = await context.openStore();
    const images = transactionImages(store, name);
    rollBackTransaction(store, name);
    context.show({ transaction: name, images }, () => `${name} is gone; ${images.join(', ')} is as it was`);
  },
};

import type { Command } from 'commander';
import type { CommandModule } from './framework/command-module.ts';

/** `varve begin IMAGE…` */
export const beginCommand: CommandModule<string[]> = {
  examples: [
    ['tx=$(varve begin web)', 'begin a transaction, and remember its name'],
    ['varve attach web@$tx', 'work on its disk; nobody else sees what is written'],
    ['varve commit $tx', 'make it the next snapshot of web; varve rollback $tx forgets it'],
  ],
  completes: ['image'],
  configure: (command: Command) => command.argument('<image...>', 'the images to change, all or none'),
  async run(context, images) {
    const { beginTransaction } = await import('../image/transaction/begin-transaction.ts');
    await using store = await context.openStore();
    const name = await beginTransaction(store, images);
    context.show({ transaction: name, images, disks: images.map((image) => `${image}@${name}`) }, () => name);
  },
};

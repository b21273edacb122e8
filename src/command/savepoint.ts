import type { Command } from 'commander';
import type { CommandModule } from './framework/command-module.ts';

/** `varve savepoint TX [NAME]` */
export const savepointCommand: CommandModule<[string, string?]> = {
  examples: [
    ['varve savepoint tx-3f9a01c2 unpacked', 'remember what a transaction holds now'],
    ['varve savepoint $VARVE_TX', 'the same inside varve tx, with the next number as its name'],
    ['varve rollback tx-3f9a01c2 --to unpacked', 'go back there'],
  ],
  configure: (command: Command) =>
    command
      .argument('<transaction>', 'its name: tx-3f9a01c2')
      .argument('[name]', 'what to call it; 1, 2, … where nothing is given'),
  async run(context, [text, given]) {
    const { requireTransactionName } = await import('../image/transaction/transaction-name.ts');
    const { setSavepoint } = await import('../image/transaction/savepoints.ts');
    const { heldDisks } = await import('../server/control/transaction-disk.ts');
    const name = requireTransactionName(text);
    await using store = await context.openStore();
    await syncMounted(name);
    const savepoint = await setSavepoint(store, name, given, heldDisks(store, name));
    context.show({ transaction: name, savepoint }, () => savepoint);
  },
};

/** What programs wrote to a file system that `varve tx` mounted is not all on the disk yet. */
async function syncMounted(name: string): Promise<void> {
  const { VARVE_MOUNT: directory, VARVE_TX: own } = process.env;
  if (own !== name || directory === undefined) return;
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  await promisify(execFile)('sync', ['-f', directory]);
}

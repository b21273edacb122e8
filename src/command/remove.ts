import type { Command } from 'commander';
import { removeFromStore } from '../image/remove-from-store.ts';
import type { CommandModule } from './framework/command-module.ts';

/** `varve remove IMAGE[@S]...` */
export const removeCommand: CommandModule<[string, ...string[]]> = {
  examples: [
    ['varve remove web@3 web@7', 'remove two snapshots; all others stay readable'],
    ['varve remove test', 'remove an image with all its snapshots'],
    ['varve gc', 'give back the space that only they needed'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) => command.argument('<what...>', 'images (web) and snapshots (web@3, web@TAG)'),
  async run(context, references) {
    await using store = await context.openStore();
    const removed = removeFromStore(store, references);
    context.show({ removed }, () => removed.map((each) => `${each} removed`).join('\n'));
  },
};

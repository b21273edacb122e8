import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { discardChanges } from '../image/discard-changes.ts';
import { askHolder } from './framework/ask-holder.ts';
import type { CommandModule } from './framework/command-module.ts';

/** `varve discard IMAGE` */
export const discardCommand: CommandModule<[string]> = {
  examples: [
    ['varve discard web', 'go back to the newest snapshot of web'],
    ['varve diff web', 'what would be lost'],
  ],
  completes: ['image'],
  configure: (command: Command) => command.argument('<image>', 'the image whose uncommitted changes to drop'),
  async run(context, [image]) {
    await using store = await context.openStore();
    const held = await askHolder(store, image, { method: 'POST', action: '/discard' });
    const changedBytes = held === undefined ? await discardChanges(store, image) : Number(held.changedBytes);
    context.show({ image, changedBytes }, () =>
      changedBytes === 0
        ? `${image} has no uncommitted changes`
        : `changes to ${formatSize(changedBytes)} of ${image} dropped`,
    );
  },
};

import type { Command } from 'commander';
import { cloneImage } from '../image/clone-image.ts';
import { settleImage } from '../image/settle-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

/** `varve clone IMAGE[@S] NEW` */
export const cloneCommand: CommandModule<[string, string], DetailsOptions> = {
  examples: [
    ['varve clone web test', 'make the image test from the newest snapshot of web'],
    ['varve clone web@before-upgrade retry', 'make the image retry from a tagged snapshot'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) =>
    addDetailsOptions(
      command.argument('<snapshot>', 'what to clone: web, web@3, web@TAG').argument('<new>', "the new image's name"),
    ),
  async run(context, [reference, name], options) {
    const details = await readDetails(options);
    await using store = await context.openStore();
    await settleImage(store, reference);
    const snapshot = cloneImage(store, reference, name, details);
    context.show(snapshotJson(snapshot), () => `${referenceOf(snapshot)} cloned from ${reference}`);
  },
};

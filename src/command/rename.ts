import type { Command } from 'commander';
import { imageName } from '../store/image-name.ts';
import type { CommandModule } from './framework/command-module.ts';

/** `varve rename IMAGE NEW` */
export const renameCommand: CommandModule<[string, string]> = {
  examples: [['varve rename web web-2025', 'give an image another name; its snapshots and tags stay']],
  completes: ['image'],
  configure: (command: Command) => command.argument('<image>', 'the image').argument('<new>', 'its new name'),
  async run(context, [image, name]) {
    await using store = await context.openStore();
    store.requireWritable();
    store.edit.rename(image, name);
    context.show({ image: imageName(name), before: image }, () => `${image} is ${imageName(name)} now`);
  },
};

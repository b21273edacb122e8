import type { CommandModule } from './framework/command-module.ts';

/** `varve list` */
export const listCommand: CommandModule = {
  examples: [['varve list', 'list images']],
  configure() {},
  async run(context) {
    await using store = await context.openStore();
    context.show(store.images.all(), () => '');
  },
};

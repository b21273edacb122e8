import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { settleImage } from '../image/settle-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addMessageOptions, type MessageOptions, readMessage } from './input/message.ts';
import { snapshotJson } from './output/snapshot-json.ts';

/** `varve describe IMAGE@S -m MESSAGE` */
export const describeCommand: CommandModule<[string], MessageOptions> = {
  examples: [
    ['varve describe web@3 -m "With the new kernel"', 'give a snapshot another message'],
    ['varve describe web@3 -F notes.txt', 'a message of several lines from a file'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) =>
    addMessageOptions(command.argument('<snapshot>', 'the snapshot to describe: web@3, web@TAG')),
  async run(context, [reference], options) {
    const message = await readMessage(options);
    if (message === undefined) throw new VarveError('INVALID', 'which message? give it with -m or -F');
    await using store = await context.openStore();
    store.requireWritable();
    await settleImage(store, reference);
    const snapshot = store.edit.describe(reference, message);
    context.show(snapshotJson(snapshot), () => `${referenceOf(snapshot)} described`);
  },
};

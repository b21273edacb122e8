import type { Command } from 'commander';
import { snapshotImage } from '../image/snapshot-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly tag?: string;
}

/** `varve snapshot IMAGE` */
export const snapshotCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve snapshot web -m "Before the upgrade" --tag before-upgrade', 'record web as it is, with a name'],
    ['git log -1 --format=%B | varve snapshot web -F -', 'with a message of several lines from a program'],
  ],
  completes: ['image'],
  configure: (command: Command) =>
    addDetailsOptions(command.argument('<image>', 'the image to record')).option(
      '-t, --tag <name>',
      'also give the snapshot this name',
    ),
  async run(context, [image], options) {
    const details = await readDetails(options);
    await using store = await context.openStore();
    const snapshot = snapshotImage(store, image, { ...details, tag: options.tag });
    context.show(snapshotJson(snapshot), () => `${referenceOf(snapshot)} made`);
  },
};

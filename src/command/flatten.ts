import { basename } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { flattenFile } from '../image/file-history/rebase-file.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { requireDiskFile } from './input/require-disk-file.ts';

/** `varve flatten FILE` */
export const flattenCommand: CommandModule<[string], ChainFlags> = {
  examples: [['varve flatten ./disk.qcow2', 'copy all that it takes from other files into it']],
  completes: ['file'],
  configure: (command: Command) => addChainOptions(command.argument('<file>', 'the overlay')),
  async run(context, [file], options) {
    requireDiskFile(file, 'flatten', 'images build on nothing');
    const signal = await context.startWork();
    const flattened = await flattenFile(file, { ...chainOptions(options), signal });
    context.show({ ...flattened, base: null }, () => {
      const copied = `${formatSize(flattened.copiedLength)} copied into it`;
      return `${basename(file)} builds on no other file now; ${copied}`;
    });
  },
};

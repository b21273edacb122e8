import { basename } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { type Committed, commitOverlay } from '../image/file-history/commit-overlay.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { requireDiskFile } from './input/require-disk-file.ts';

interface Options extends ChainFlags {
  readonly delete?: boolean;
  readonly force?: boolean;
}

/** `varve commit FILE` */
export const commitCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve commit ./disk.qcow2', 'merge an overlay into the file that it builds on, and go on with an empty one'],
    ['varve commit ./disk.qcow2 --delete', 'the same, and remove the overlay'],
  ],
  completes: ['file'],
  configure: (command: Command) =>
    addChainOptions(
      command
        .argument('<file>', 'the overlay')
        .option('--delete', 'remove the overlay, instead of leaving it empty')
        .option('--force', 'even if other files build on its base, or that was changed since'),
    ),
  async run(context, [file], options) {
    requireDiskFile(file, 'commit', 'varve snapshot records the state of an image');
    const signal = await context.startWork();
    const { delete: remove, force } = options;
    const register = registerPath(context.storePath);
    const committed = await commitOverlay(file, { ...chainOptions(options), delete: remove, force, register, signal });
    context.show(committed, () => resultText(file, committed));
  },
};

function resultText(file: string, { base, deleted, length }: Committed): string {
  const what = `${basename(file)} committed to ${basename(base)}: ${formatSize(length)}`;
  return `${what}; ${deleted ? 'it is removed' : 'it is empty now'}`;
}

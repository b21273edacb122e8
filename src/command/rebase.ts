import { basename } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type Rebased, rebaseFile } from '../image/file-history/rebase-file.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';
import { addChainOptions, type ChainFlags, chainOptions } from './input/chain-options.ts';
import { requireDiskFile } from './input/require-disk-file.ts';

interface Options extends ChainFlags {
  readonly baseFormat?: string;
  readonly none?: boolean;
  readonly unsafe?: boolean;
}

/** `varve rebase FILE BASE` */
export const rebaseCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve rebase ./disk.qcow2 ./other.qcow2', 'build on another file, and hold what it held'],
    ['varve rebase ./disk.qcow2 /new/place/base.qcow2 --unsafe', 'tell it that its base was moved'],
    ['varve rebase ./disk.qcow2 --none', 'build on nothing, as varve flatten does'],
  ],
  completes: ['file', 'file'],
  configure: (command: Command) =>
    addChainOptions(
      command
        .argument('<file>', 'the overlay')
        .argument('[base]', 'the file that it is to build on')
        .option('--base-format <name>', "the base's format, whatever its content looks like")
        .option('--none', 'build on no file')
        .option('--unsafe', 'change the name only, for a base that holds what the one of before held'),
    ),
  async run(context, [file, base], options) {
    requireDiskFile(file, 'rebase', 'images build on nothing');
    if ((base === undefined) !== (options.none ?? false)) {
      throw new VarveError('INVALID', `what is ${file} to build on? give a file, or --none`);
    }
    const signal = await context.startWork();
    const { baseFormat, unsafe } = options;
    const register = registerPath(context.storePath);
    const rebased = await rebaseFile(file, base, { ...chainOptions(options), baseFormat, unsafe, register, signal });
    context.show({ ...rebased, base: rebased.base ?? null }, () => resultText(file, rebased));
  },
};

function resultText(file: string, { base, copiedLength }: Rebased): string {
  const where = base === undefined ? 'on no other file' : `on ${basename(base)}`;
  return `${basename(file)} builds ${where} now; ${formatSize(copiedLength)} copied into it`;
}

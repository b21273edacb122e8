import type { Command } from 'commander';
import { parseSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { resizeDisk } from '../image/resize-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';
import { type AccessOptions, accessOptions, addFileOptions } from './input/access-options.ts';
import { exactSize } from './output/exact-size.ts';

interface Options extends AccessOptions {
  readonly format?: string;
  readonly shrink?: boolean;
  readonly force?: boolean;
}

/** `varve resize DISK SIZE` */
export const resizeCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve resize ./disk.qcow2 40G', 'give a disk this size'],
    ['varve resize ./disk.qcow2 +10G', 'make it so much larger'],
    ['varve resize ./disk.raw -1G --shrink', 'cut so much off its end, for good'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addFileOptions(
      command
        .argument('<disk>', 'a disk file: ./disk.qcow2')
        .argument('<size>', 'its new size, or +SIZE or -SIZE')
        .option('--format <name>', 'take the file for this format, whatever its content looks like')
        .option('--shrink', 'let the disk get smaller, which loses what is behind its new end')
        .option('--force', 'even if other files build on it, which may read it differently then'),
    ).allowUnknownOption(),
  async run(context, [argument, sizeText], options) {
    const disk = localDiskArgument(argument);
    const sizeFor = sizeFunction(sizeText);
    if (disk.kind === 'snapshot') {
      const advice = 'export it, resize the file, and import that with --update';
      throw new VarveError('UNSUPPORTED', `cannot resize ${argument}: snapshots do not change; ${advice}`);
    }
    await context.startWork();
    const { force, format, shrink } = options;
    const register = registerPath(context.storePath);
    const access = { ...(await accessOptions(options)), force, format, register };
    const resized = await resizeDisk(disk.path, sizeFor, { ...access, shrink });
    context.show({ disk: argument, ...resized }, () => {
      const { oldSize, size } = resized;
      if (size === oldSize) return `${argument} has ${exactSize(size)} already`;
      return `${argument} resized from ${exactSize(oldSize)} to ${exactSize(size)}`;
    });
  },
};

/** What the text makes of a size, in bytes. @throws VarveError `INVALID` */
function sizeFunction(text: string): (oldSize: number) => number {
  const [, sign, rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  // Such as a mistyped option, which counts as an argument because sizes may begin with a dash.
  if (sign === '-' && !/^\d/.test(rest))
    throw new VarveError('INVALID', `unknown option '${text}'; see varve resize --help`);
  const size = parseSize(rest);
  if (sign === '') return () => size;
  return (oldSize) => {
    const newSize = sign === '+' ? oldSize + size : oldSize - size;
    if (Number.isSafeInteger(newSize) && newSize >= 0) return newSize;
    throw new VarveError('INVALID', `a disk of ${exactSize(oldSize)} cannot become ${text} in size`);
  };
}

import type { Command } from 'commander';
import { formatSize, parseSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { diskAddress } from '../image/disk-address.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { exportDisk } from '../image/export-disk.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { addTargetOptions, type TargetOptions, targetOptions } from './input/target-options.ts';

interface Options extends AccessOptions, TargetOptions {
  readonly from?: string;
  readonly to?: string;
  readonly force?: boolean;
  readonly inPlace?: boolean;
  readonly room?: number;
  readonly spool?: string;
}

const help = `
--in-place measures first, and begins nothing for which there is no room. Cut off
at any moment, it is begun again, or gone on with, by varve convert --in-place
SOURCE; see docs/commands.md for what is where meanwhile.`;

/** `varve convert SOURCE TARGET` */
export const convertCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve convert ./disk.qcow2 disk.vmdk', 'write the same disk in another format, which the name tells'],
    ['varve convert ./disk.raw small.qcow2 --compress', 'compress it with zstd, with all processors'],
    ['varve convert ./disk.raw disk.vhd -o subformat=fixed', 'with a switch of the format'],
    ['varve convert --in-place ./disk.raw --to qcow2', 'make the file itself a qcow2 image, at once'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addAccessOptions(
      addTargetOptions(
        command
          .argument('<source>', 'the disk: ./disk.qcow2, /dev/sdb, web, web@3, nbd://…, https://…')
          .argument('[target]', 'a file, a block device, or nbd://…')
          .option('--from <format>', 'read the source in this format, whatever its content looks like')
          .option('--to <format>', "the format to write; by default what the target's name ends with, else raw"),
      )
        .option('--force', 'replace a file, or overwrite a block device')
        .option('--in-place', 'convert the file itself, also where there is no room for two')
        .option('--room <size>', 'with --in-place: take no more of the free space than this', parseSize)
        .option('--spool <directory>', 'with --in-place: on another file system, to write the new file to first')
        .addHelpText('after', help),
    ),
  async run(context, [source, target], options) {
    const { force, from, inPlace, room, to } = options;
    if (inPlace) return await convertFile(context, source, target, options);
    if (target === undefined) throw new VarveError('INVALID', 'convert to what? name a file after the source');
    if (target === '-')
      throw new VarveError('INVALID', `for a pipe, write varve export ${diskAddress(source)?.label ?? source} -`);
    if (room !== undefined) throw new VarveError('INVALID', '--room is of no use without --in-place');
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    await using disk = await openDisk(source, {
      ...(await accessOptions(options)),
      store: store.open,
      format: from,
      signal,
    });
    const result = await exportDisk(disk, target, { ...targetOptions(options), format: to, force, signal });
    context.show({ disk: disk.label, target, ...result }, () => {
      const { format, size } = result;
      return `${disk.label} converted to ${target}: ${formatSize(size)} as ${format}`;
    });
  },
};

async function convertFile(
  context: CommandContext,
  source: string,
  target: string | undefined,
  options: Options,
): Promise<void> {
  if (target !== undefined) throw new VarveError('INVALID', '--in-place takes one file; give its new format with --to');
  if (options.filter !== undefined) throw new VarveError('INVALID', '--filter is of no use with --in-place');
  localDiskArgument(source);
  const { convertInPlace } = await import('../image/in-place/convert-in-place.ts');
  const { from, room, spool, to } = options;
  const register = registerPath(context.storePath);
  const signal = await context.startWork();
  const result = await convertInPlace(source, { ...targetOptions(options), from, to, room, spool, register, signal });
  context.show({ path: source, ...result }, () => {
    const { format, size, resumed } = result;
    return `${source} ${resumed ? 'is now converted' : 'converted'}: ${formatSize(size)} as ${format}`;
  });
}

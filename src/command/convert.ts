import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { exportDisk } from '../image/export-disk.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { addTargetOptions, type TargetOptions, targetOptions } from './input/target-options.ts';

interface Options extends AccessOptions, TargetOptions {
  readonly from?: string;
  readonly to?: string;
  readonly force?: boolean;
}

/** `varve convert SOURCE TARGET` */
export const convertCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve convert ./disk.qcow2 disk.vmdk', 'write the same disk in another format, which the name tells'],
    ['varve convert ./disk.raw small.qcow2 --compress', 'compress it with zstd, with all processors'],
    ['varve convert ./disk.raw disk.vhd -o subformat=fixed', 'with a switch of the format'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addAccessOptions(
      addTargetOptions(
        command
          .argument('<source>', 'the disk: ./disk.qcow2, /dev/sdb, web, web@3')
          .argument('[target]', 'a file, or a block device')
          .option('--from <format>', 'read the source in this format, whatever its content looks like')
          .option('--to <format>', "the format to write; by default what the target's name ends with, else raw"),
      ).option('--force', 'replace a file, or overwrite a block device'),
    ),
  async run(context, [source, target], options) {
    if (target === undefined) throw new VarveError('INVALID', 'convert to what? name a file after the source');
    const { force, from, to } = options;
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    await using disk = await openDisk(source, { ...accessOptions(options), store: store.open, format: from, signal });
    const result = await exportDisk(disk, target, { ...targetOptions(options), format: to, force, signal });
    context.show({ disk: disk.label, target, ...result }, () => {
      const { format, size } = result;
      return `${disk.label} converted to ${target}: ${formatSize(size)} as ${format}`;
    });
  },
};

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
  readonly format?: string;
  readonly force?: boolean;
  readonly sourceFormat?: string;
}

/** `varve export DISK TARGET` */
export const exportCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve export web ./web.qcow2 --compress', 'write the newest snapshot of web to a compressed qcow2 file'],
    ['varve export web@3 /dev/sdb --force', 'write a snapshot over a whole block device'],
    ['varve export web - | ssh host "cat > /dev/vg/web"', 'give the disk to another program'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addAccessOptions(
      addTargetOptions(
        command
          .argument('<disk>', 'what to export: web, web@3, ./disk.qcow2, nbd://…, https://…')
          .argument('<target>', 'a file, a block device, nbd://…, or - for standard output')
          .option('--format <name>', "the format to write; by default what the target's name ends with, else raw"),
      )
        .option('--force', 'replace a file, or overwrite a block device')
        .option('--source-format <name>', 'read a disk file in this format, whatever its content looks like'),
    ),
  async run(context, [argument, target], options) {
    const { force, format, sourceFormat } = options;
    if (target === '-' && process.stdout.isTTY) {
      throw new VarveError('INVALID', 'cannot write a disk to the terminal; redirect standard output, or name a file');
    }
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    await using disk = await openDisk(argument, {
      ...(await accessOptions(options)),
      store: store.open,
      format: sourceFormat,
      signal,
    });
    const output = target === '-' ? process.stdout : target;
    const result = await exportDisk(disk, output, { ...targetOptions(options), format, force, signal });
    if (target === '-') return;
    context.show({ disk: disk.label, target, ...result }, () => {
      const { format: written, size } = result;
      return `${disk.label} exported to ${target}: ${formatSize(size)} as ${written}`;
    });
  },
};

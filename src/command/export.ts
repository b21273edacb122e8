import { type Command, Option } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import type { Compression } from '../format/image-format.ts';
import { exportDisk } from '../image/export-disk.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';

interface Options {
  readonly format?: string;
  readonly compress?: Compression;
  readonly force?: boolean;
  readonly sourceFormat?: string;
  readonly follow?: boolean;
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
    command
      .argument('<disk>', 'what to export: web, web@3, ./disk.qcow2')
      .argument('<target>', 'a file, a block device, or - for standard output')
      .option('--format <name>', "raw or qcow2; by default what the target's name ends with, else raw")
      .addOption(
        new Option(
          '--compress [method]',
          'compress a qcow2 file, with zstd or deflate; older programs know only deflate',
        )
          .choices(['zstd', 'deflate'])
          .preset('zstd'),
      )
      .option('--force', 'replace a file, or overwrite a block device')
      .option('--source-format <name>', 'read a disk file as raw or qcow2, whatever its content looks like')
      .option('--follow', 'also read the files that a disk file builds on'),
  async run(context, [argument, target], { format, compress, force, sourceFormat, follow }) {
    if (target === '-' && process.stdout.isTTY) {
      throw new VarveError('INVALID', 'cannot write a disk to the terminal; redirect standard output, or name a file');
    }
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    await using disk = await openDisk(argument, { store: store.open, format: sourceFormat, follow });
    const output = target === '-' ? process.stdout : target;
    const result = await exportDisk(disk, output, { format, compression: compress, force, signal });
    if (target === '-') return;
    context.show({ disk: disk.label, target, ...result }, () => {
      const { format: written, size } = result;
      return `${disk.label} exported to ${target}: ${formatSize(size)} as ${written}`;
    });
  },
};

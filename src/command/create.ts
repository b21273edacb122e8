import type { Command } from 'commander';
import { formatSize, parseSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type CreatedDisk, createDisk } from '../image/create-disk.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { realPath } from '../image/file-history/image-file.ts';
import { registerOverlay } from '../image/file-history/register.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';
import { addLayoutOptions, type LayoutOptions, targetOptions } from './input/target-options.ts';

interface Options extends LayoutOptions {
  readonly format?: string;
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly force?: boolean;
}

/** `varve create FILE [SIZE]` */
export const createCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve create disk.qcow2 20G', 'make an empty disk, in the format that the name tells'],
    ['varve create try.qcow2 --backing base.qcow2', 'make a disk that reads as base.qcow2 until it is written to'],
    ['varve create disk.qcow2 1T --cluster-size 1M -o extended_l2=on', 'with switches of the format'],
    ['varve create disk.qcow2 20G -o preallocation=falloc', 'and take the space for all of it at once'],
    ['varve create disk.qcow2 20G -o data_file=disk.raw -o data_file_raw=on', 'a qcow2 file beside a raw one'],
  ],
  completes: ['file'],
  configure: (command: Command) =>
    addLayoutOptions(
      command
        .argument('<file>', 'the new file')
        .argument('[size]', 'of the disk; by default that of the disk it builds on')
        .option('--format <name>', "the format; by default what the file's name ends with, else raw")
        .option('-b, --backing <file>', 'the disk file that it builds on')
        .option('--backing-format <name>', "that file's format, whatever its content looks like"),
    ).option('--force', 'replace a file that exists'),
  async run(context, [file, sizeText], options) {
    const { backing, backingFormat, force, format } = options;
    if (backing === undefined && backingFormat !== undefined) {
      throw new VarveError('INVALID', '--backing-format is of no use without --backing');
    }
    if (backing !== undefined) localDiskArgument(backing);
    const size = sizeText === undefined ? undefined : parseSize(sizeText);
    const layout = targetOptions(options);
    const created = await createDisk(file, { ...layout, size, format, backing, backingFormat, force });
    if (backing !== undefined) {
      const [overlay, base] = await Promise.all([realPath(file), realPath(backing)]);
      await registerOverlay(registerPath(context.storePath), { overlay, base });
    }
    context.show({ path: file, ...created }, () => resultText(file, created));
  },
};

function resultText(file: string, { backing, format, size }: CreatedDisk): string {
  const on = backing === undefined ? '' : `, on ${backing.name} (${backing.format})`;
  return `${file} created: ${formatSize(size)} as ${format}${on}`;
}

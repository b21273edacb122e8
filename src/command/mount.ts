import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import { parseSize } from '../base/size.ts';
import { systemError, VarveError } from '../base/varve-error.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandModule } from './framework/command-module.ts';
import { type AttachFlags, addAttachOptions, attachRequest } from './input/attach-options.ts';
import { parseCount } from './input/count.ts';
import { splitInnerPath } from './input/inner-path.ts';

interface Options extends AttachFlags {
  readonly partition?: number;
  readonly offset?: number;
  readonly type?: string;
  readonly options?: string;
  readonly volume?: string;
  readonly kernel?: boolean;
  readonly allowOther?: boolean;
}

/** `varve mount DISK[:PATH] DIR` */
export const mountCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve mount ./disk.raw /mnt', 'mount the file system that is the whole disk, to read and write it'],
    ['varve mount ./disk.qcow2 /mnt --partition 1', 'the one in its first partition'],
    ['varve mount --read-only https://host/disk.qcow2 dir', 'the files of its system, to be read, without root'],
    ['varve mount web@3:/etc /mnt --ephemeral', 'a directory of a snapshot; what is written is gone in the end'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addAttachOptions(
      command
        .argument('<disk[:path]>', 'what to mount: web, web@3, ./disk.qcow2, or a directory in it')
        .argument('<directory>', 'where')
        .option('--partition <number>', 'the partition that the file system is in', parseCount)
        .option('--offset <size>', 'where on the disk the file system begins', parseSize)
        .option('--volume <name>', "with --read-only: the one that the disk's system calls so: /dev/vg/root, UUID=…")
        .option('-t, --type <name>', 'what file system it is')
        .option('-o, --options <list>', 'what mount -o takes')
        .option('--kernel', "with --read-only: by the kernel's file systems, as root")
        .option('--allow-other', 'with --read-only: let other users see it, by the modes of its files'),
    ),
  async run(context, [argument, directory], options) {
    const { disk, inner } = splitInnerPath(argument);
    const isOwn = isForOwnReaders(options);
    const request = attachRequest(context, disk, options);
    const target = realPath(directory);
    const runDirectory = await currentRunPath(context);
    const signal = await context.startWork();
    const { allowOther = false, offset, options: list, partition, type, volume } = options;
    const how = { disk: request, directory: target, runDirectory, signal };
    const { attachment } = isOwn
      ? await (await import('../server/attach/mount-files.ts')).mountFiles({
          ...how,
          files: { inner, partition, offset, volume, allowOther },
        })
      : await (await import('../server/attach/mount-disk.ts')).mountDisk({
          ...how,
          ...{ inner, partition, offset, type, options: list },
        });
    const { access } = attachment;
    context.show({ disk: request.disk, directory: target, access }, () => '');
    if (access === 'read-only' && !options.readOnly) {
      context.remark(`${disk} is mounted to be read; with --ephemeral it can be written to, until it is unmounted`);
    }
  },
};

/** What is only read needs no root, and no file system of the kernel's, unless its options are wanted. */
function isForOwnReaders({ allowOther, kernel, readOnly, volume, ...options }: Options): boolean {
  const isOwn = readOnly === true && kernel !== true;
  if (isOwn && (options.options !== undefined || options.type !== undefined)) {
    throw new VarveError('INVALID', '--type and --options are for file systems of the kernel; add --kernel');
  }
  if (!isOwn && (allowOther || volume !== undefined)) {
    const which = allowOther ? '--allow-other' : '--volume';
    throw new VarveError('INVALID', `${which} is for --read-only without --kernel`);
  }
  const places = [options.partition, options.offset, volume].filter((each) => each !== undefined);
  if (places.length < 2) return isOwn;
  throw new VarveError('INVALID', '--partition, --offset and --volume do not go together; give one');
}

function realPath(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw systemError(`mount on ${directory}`, error);
  }
}

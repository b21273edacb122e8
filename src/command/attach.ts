import { setTimeout } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { parseSize } from '../base/size.ts';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import { isRunning } from '../linux/process-identity.ts';
import type { NewAttachment } from '../server/attach/attach-disk.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { type AttachFlags, addAttachOptions, attachRequest } from './input/attach-options.ts';

/** What a disk may be attached as: a block device of the kernel's NBD client, or a file, with a loop device or without. */
const attachKinds = ['nbd', 'loop', 'file'] as const;
type AttachKind = (typeof attachKinds)[number];

interface Options extends AttachFlags {
  readonly as?: AttachKind;
  readonly file?: boolean;
  readonly sectorSize?: number;
  readonly foreground?: boolean;
}

/** How often a command that stays looks whether the disk is still attached. */
const holderLookMs = 200;

/** `varve attach DISK` */
export const attachCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve attach ./disk.qcow2', 'show the disk in a file as a block device, read and written in place'],
    ['varve attach web@3 --ephemeral', 'a snapshot, with an overlay that is gone in the end'],
    ['varve attach ./disk.vmdk --read-only --file', 'as a file with the raw content, for any program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addAttachOptions(command.argument('<disk>', 'what to attach: web, web@3, ./disk.qcow2, nbd://host/web'))
      .addOption(
        new Option('--as <kind>', 'what as; as root nbd where the kernel has that, else loop').choices(attachKinds),
      )
      .option('--file', 'as a file, even where it could be a block device')
      .option('--sector-size <size>', 'of the block device: 512 to 4096', parseSize)
      .option('--foreground', 'stay until Ctrl-C, and detach it then'),
  async run(context, [disk], options) {
    const request = attachRequest(context, disk, options);
    const runDirectory = await currentRunPath(context);
    const signal = await context.startWork();
    const { attachDisk } = await import('../server/attach/attach-disk.ts');
    const kind = await kindOf(disk, options);
    const nbd = kind === 'nbd' ? { sectorSize: sectorSizeOf(disk, options) } : undefined;
    const made = await attachDisk(request, { runDirectory, nbd, signal });
    const device = kind === 'loop' ? await deviceFor(context, made, options) : undefined;
    const { access, path: file, size } = made.attachment;
    const path = device ?? file;
    context.show({ disk: request.disk, path, file, access, size }, () => path);
    if (access === 'read-only' && !options.readOnly) {
      context.remark(`${disk} is attached to be read; with --ephemeral it can be written to, until it is detached`);
    }
    if (options.foreground) await detachAtTheEnd(made, signal);
  },
};

/** @throws VarveError `NOT_FOUND` where it is to be an NBD device, and there are none */
async function kindOf(disk: string, { as, file }: Options): Promise<AttachKind> {
  if (file || as === 'file' || as === 'loop') return file ? 'file' : (as ?? 'loop');
  const { hasNbdDevices } = await import('../linux/nbd-device.ts');
  if (await hasNbdDevices()) return 'nbd';
  if (as === undefined) return 'loop';
  const advice = 'as root of the machine, load the module nbd; Linux 5.15 is the oldest';
  throw new VarveError('NOT_FOUND', `cannot attach ${disk} as an NBD device: there are none here; ${advice}`);
}

/** In bytes. @throws VarveError `INVALID` */
function sectorSizeOf(disk: string, { sectorSize = 512 }: Options): number {
  if ([512, 1024, 2048, 4096].includes(sectorSize)) return sectorSize;
  const sizes = '512, 1024, 2048 and 4096 bytes';
  throw new VarveError(
    'INVALID',
    `cannot attach ${disk}: sectors of ${sectorSize} bytes there are none; ${sizes} can be had`,
  );
}

/** The loop device; undefined for users who may not have one, and where there are none. */
async function deviceFor(context: CommandContext, made: NewAttachment, options: Options): Promise<string | undefined> {
  if (process.geteuid?.() !== 0 || made.attachment.size < 512) return undefined;
  const { addLoop } = await import('../server/attach/attach-disk.ts');
  try {
    return await addLoop(made, options);
  } catch (error) {
    if (!isVarveError(error, 'NOT_FOUND')) throw error;
    context.remark('there are no loop devices here, so that the disk is a file');
    return undefined;
  }
}

/** Waits for Ctrl-C, or until somebody else detaches the disk. */
async function detachAtTheEnd({ attachment, directory }: NewAttachment, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && isRunning(attachment.holder)) {
    await setTimeout(holderLookMs, undefined, { signal }).catch(() => {});
  }
  if (!isRunning(attachment.holder)) return;
  const { detachDisk } = await import('../server/attach/detach-disk.ts');
  const { stateOf } = await import('../server/attach/attached-disk.ts');
  await detachDisk(stateOf(directory, attachment));
}

import type { Command } from 'commander';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandModule } from './framework/command-module.ts';

interface Options {
  readonly force?: boolean;
}

/** `varve detach PATH|DISK` */
export const detachCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve detach /dev/loop0', 'take an attached disk away, when all that was written is in it'],
    ['varve detach ./disk.qcow2', 'the same, by the name it was attached by'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    command
      .argument('<path>', 'the path that attach printed, or the disk')
      .option('--force', 'also while it is mounted or in use: whoever uses it may finish'),
  async run(context, [argument], options) {
    const runDirectory = await currentRunPath(context);
    const { attachedDisks, findAttached } = await import('../server/attach/attached-disk.ts');
    const { detachDisk } = await import('../server/attach/detach-disk.ts');
    const disk = findAttached(attachedDisks(runDirectory), argument);
    const isDone = await detachDisk(disk, options);
    const { disk: name, holder } = disk.attachment;
    context.show({ disk: name, detached: isDone }, () => '');
    if (!isDone) context.remark(`${name} is in use still; process ${holder.pid} closes it when that is over`);
  },
};

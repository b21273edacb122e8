import type { Command } from 'commander';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandModule } from './framework/command-module.ts';

/** `varve unmount DIR` */
export const unmountCommand: CommandModule<[string]> = {
  examples: [['varve unmount /mnt', 'take away what varve mount put there, when all is written']],
  completes: ['file'],
  configure: (command: Command) => command.argument('<directory>', 'where it is mounted'),
  async run(context, [directory]) {
    const runDirectory = await currentRunPath(context);
    const { unmountDisk } = await import('../server/attach/unmount-disk.ts');
    const { attachment, isUsed } = await unmountDisk(directory, runDirectory);
    context.show({ disk: attachment.disk, directory }, () => '');
    if (isUsed) {
      const { disk, holder } = attachment;
      context.remark(
        `${disk} is mounted still, in a container perhaps; process ${holder.pid} closes it when that ends`,
      );
    }
  },
};

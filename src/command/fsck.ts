import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatuses } from '../base/exit-status.ts';
import { openDisk } from '../image/open-disk.ts';
import { type CheckedFileSystem, checkDisk } from '../server/check/check-disk.ts';
import { currentRunPath } from './framework/attachments.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { addInsideOptions, type InsideOptions, insideAccess, insideDisk } from './input/inside-options.ts';
import { Problems } from './output/problems.ts';
import { safeText } from './output/safe-text.ts';

/** How much of what a checker says is shown: it may say something of every file. */
const mostLines = 40;

const help = `
Each file system is checked by its own program: e2fsck, xfs_repair, btrfs,
fsck.fat, fsck.exfat or ntfsfix. Of an image the newest snapshot is checked, not
what a machine is writing to it. Nothing is ever changed: what is to be repaired
is repaired in a transaction, and is a new snapshot then:

  varve tx web --check -- e2fsck -fy {}

Ends with status 0 where all is clean, 10 where something is wrong, and another
one where something could not be checked.`;

/** `varve fsck DISK` */
export const fsckCommand: CommandModule<[string], InsideOptions> = {
  examples: [
    ['varve fsck web', 'check the file systems of the newest snapshot of an image'],
    ['varve fsck web@3', 'or of an earlier one: since when is it broken?'],
    ['varve fsck ./disk.qcow2 --json', 'for a program'],
  ],
  completes: ['disk'],
  configure: (command: Command) => addInsideOptions(command.argument(...insideDisk)).addHelpText('after', help),
  async run(context, [argument], options) {
    const signal = await context.startWork();
    const problems = new Problems(context);
    await using store = new LazyStore(context);
    const access = { ...(await insideAccess(store, options)), signal };
    await using disk = await openDisk(argument, access);
    const checked = await checkDisk(disk.device, {
      ...{ name: disk.label, askSecret: access.askSecret, signal, onProblem: problems.note },
      runDirectory: await currentRunPath(context),
      storePath: resolve(context.storePath),
      register: resolve(registerPath(context.storePath)),
    });
    context.show(checked.map(resultJson), () => checked.map((each) => resultText(disk.label, each)).join('\n'));
    if (checked.length === 0) context.remark(`${disk.label} holds no file system that can be checked`);
    return checked.every(({ isClean }) => isClean) ? problems.exitStatus : exitStatuses.CORRUPT;
  },
};

function resultText(label: string, { checker, isClean, lines, name, type }: CheckedFileSystem): string {
  const heading = `${label}, ${name} (${type}): ${isClean ? 'clean' : `${checker[0]} finds it wrong`}`;
  if (isClean) return heading;
  const rest = lines.length > mostLines ? [`… and ${lines.length - mostLines} more lines`] : [];
  return [heading, ...[...lines.slice(0, mostLines), ...rest].map((line) => `  ${safeText(line)}`)].join('\n');
}

function resultJson({ checker, isClean, lines, name, status, type }: CheckedFileSystem): object {
  return { volume: name, type, checker: checker[0], clean: isClean, status, lines };
}

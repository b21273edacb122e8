import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { removeFromStore } from '../image/remove-from-store.ts';
import { settleImage } from '../image/settle-image.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { registerPath } from './framework/register-path.ts';

interface Options {
  readonly force?: boolean;
  readonly internal?: string;
}

/** `varve remove IMAGE[@S]...`, `varve remove FILE...` */
export const removeCommand: CommandModule<[string, ...string[]], Options> = {
  examples: [
    ['varve remove web@3 web@7', 'remove two snapshots; all others stay readable'],
    ['varve remove test', 'remove an image with all its snapshots'],
    ['varve gc', 'give back the space that only they needed'],
    ['varve remove ./old.qcow2', 'remove a disk file, if no other file builds on it'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    command
      .argument('<what...>', 'images (web), snapshots (web@3, web@TAG) and disk files (./old.qcow2)')
      .option('--internal <name>', 'of a qcow2 file: remove not the file but a snapshot inside it')
      .option('--force', 'remove images with changes that are in no snapshot, and files that others build on'),
  async run(context, references, { force, internal }) {
    const disks = references.map(localDiskArgument);
    const files = disks.flatMap((disk) => (disk.kind === 'file' ? [disk.path] : []));
    const others = disks.flatMap((disk) => (disk.kind === 'file' ? [] : [disk.reference]));
    if (internal !== undefined) {
      if (others.length > 0) throw new VarveError('INVALID', `--internal is for disk files, and ${others[0]} is none`);
      await removeInternal(context, files, internal);
      return;
    }
    const removed = [...(await removeOthers(context, others, force)), ...(await removeFiles(context, files, force))];
    context.show({ removed }, () => removed.map((each) => `${each} removed`).join('\n'));
  },
};

async function removeInternal(context: CommandContext, paths: readonly string[], snapshot: string): Promise<void> {
  const { deleteInternalSnapshot } = await import('../image/internal-snapshots.ts');
  for (const path of paths) await deleteInternalSnapshot(path, snapshot);
  context.show({ removed: paths.map((path) => ({ path, snapshot })) }, () =>
    paths.map((path) => `snapshot ${snapshot} removed from ${path}`).join('\n'),
  );
}

async function removeOthers(
  context: CommandContext,
  references: readonly string[],
  force: boolean | undefined,
): Promise<string[]> {
  if (references.length === 0) return [];
  await using store = await context.openStore();
  for (const reference of references) await settleImage(store, reference);
  return removeFromStore(store, references, { force });
}

async function removeFiles(context: CommandContext, paths: readonly string[], force = false): Promise<string[]> {
  if (paths.length === 0) return [];
  const { removeFiles: remove } = await import('../image/file-history/remove-file.ts');
  await remove(paths, { force, register: registerPath(context.storePath) });
  return [...paths];
}

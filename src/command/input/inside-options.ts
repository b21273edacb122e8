import type { Command } from 'commander';
import type { Guest } from '../../guest/open-guest.ts';
import type { OpenDiskOptions } from '../../image/open-disk.ts';
import type { CommandContext } from '../framework/command-context.ts';
import { LazyStore } from '../framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './access-options.ts';

/** What the options came to that commands have which look inside disks. */
export interface InsideOptions extends AccessOptions {
  readonly format?: string;
}

/** Declares `--format` and what `addAccessOptions` does. */
export function addInsideOptions(command: Command): Command {
  return addAccessOptions(
    command.option('--format <name>', 'take a disk file for this format, whatever its content looks like'),
  );
}

/** The argument of a command that looks inside one disk. */
export const insideDisk = ['<disk>', 'the disk: web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…'] as const;

/** How the disk is opened that such a command is given. @throws VarveError as `accessOptions` does */
export async function insideAccess(store: LazyStore, options: InsideOptions): Promise<OpenDiskOptions> {
  return { ...(await accessOptions(options)), store: store.open, format: options.format };
}

/** Opens the disk that an argument names, to look inside. @throws VarveError as `openDiskGuest` does */
export async function openInside(context: CommandContext, disk: string, options: InsideOptions): Promise<Guest> {
  const { openDiskGuest } = await import('../../guest/open-disk-guest.ts');
  await using stack = new AsyncDisposableStack();
  const store = stack.use(new LazyStore(context));
  const guest = stack.use(await openDiskGuest(disk, await insideAccess(store, options)));
  const held = stack.move();
  return { ...guest, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

import { isVarveError } from '../base/varve-error.ts';
import type { OpenGuest } from '../changes/compared-volumes.ts';
import type { AskSecret } from '../format/image-format.ts';
import type { Disk } from '../image/open-disk.ts';
import type { CommandContext } from './framework/command-context.ts';

/** Why files may not be told, where bytes can: what is damaged, unknown or encrypted. */
const unreadable = ['CORRUPT', 'UNSUPPORTED', 'PERMISSION'] as const;

/** What disks are looked into for. */
export interface OpenGuestsOptions {
  readonly askSecret: AskSecret | undefined;
  readonly context: CommandContext;
  readonly stack: AsyncDisposableStack;
  readonly wantsFiles: boolean;
}

/** Both disks, looked into; undefined where one holds no files that are known here, and nobody asked for them. */
export async function openGuests(
  [a, b]: readonly [Disk, Disk],
  { askSecret, context, stack, wantsFiles }: OpenGuestsOptions,
): Promise<{ readonly before: OpenGuest; readonly after: OpenGuest } | undefined> {
  const { openGuest } = await import('../guest/open-guest.ts');
  const open = async ({ device, label }: Disk) => {
    return { label, guest: stack.use(await openGuest(device, { name: label, askSecret })) };
  };
  try {
    return { before: await open(a), after: await open(b) };
  } catch (error) {
    // Disks without files that are known here are nothing special.
    if (!wantsFiles && isVarveError(error, 'UNSUPPORTED')) return undefined;
    return await orNothing(context, wantsFiles, () => Promise.reject(error));
  }
}

/** What files differ; undefined where some cannot be read, and nobody asked for them. */
export async function orNothing<T>(
  context: CommandContext,
  wantsFiles: boolean,
  show: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await show();
  } catch (error) {
    if (wantsFiles || !isVarveError(error, ...unreadable)) throw error;
    context.remark(`${error.message}; so this is where the disks differ, and not in which files`);
    return undefined;
  }
}

import { type OpenDiskOptions, openDisk } from '../image/open-disk.ts';
import { type Guest, openGuest } from './open-guest.ts';

/**
 * Opens a disk by its name, and looks inside it. Disposing closes both.
 *
 * @throws VarveError as `openDisk` and `openGuest` do
 */
export async function openDiskGuest(disk: string, options: OpenDiskOptions): Promise<Guest> {
  await using stack = new AsyncDisposableStack();
  const opened = stack.use(await openDisk(disk, options));
  const guest = stack.use(await openGuest(opened.device, { name: opened.label, askSecret: options.askSecret }));
  const held = stack.move();
  return { ...guest, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

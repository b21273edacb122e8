import type { ControlMessage } from '../../server/control/control-server.ts';
import type { Store } from '../../store/store.ts';

/** What to ask of the process that has an image open. */
export interface HolderRequest {
  readonly method: 'GET' | 'POST';
  /** What comes behind the image: `/snapshots`. */
  readonly action: string;
  readonly message?: ControlMessage;
}

/**
 * Asks the process that has an image open through its control socket. Undefined where nobody has, or cannot be reached: whoever then does it alone finds that out.
 * @throws what it answers
 */
export async function askHolder(
  store: Store,
  name: string,
  { method, action, message }: HolderRequest,
): Promise<ControlMessage | undefined> {
  const image = store.images.find(name);
  const socket = image && store.leases.writerOf(image.id, '')?.socket;
  if (image === undefined || socket === undefined) return undefined;
  const { askControl } = await import('../../server/control/control-client.ts');
  const { imagePath } = await import('../../server/control/held-image.ts');
  return await askControl(socket, { method, path: imagePath(image.uuid) + action, message });
}

/*
 * A process that mounts and unmounts for one that serves the disk: the kernel reads the disk meanwhile, and whoever waits
 * for the kernel answers nobody.
 */
import { isVarveError } from '../../base/varve-error.ts';
import { mountDisk } from '../attach/mount-disk.ts';
import { unmountDisk } from '../attach/unmount-disk.ts';
import type { MountAnswer, MountOrder } from './mount-elsewhere.ts';

process.once('message', (order: MountOrder) => void obey(order));

async function obey(order: MountOrder): Promise<void> {
  try {
    if (order.kind === 'mount') await mountDisk(order.request);
    else await unmountDisk(order.directory, order.runDirectory);
    answer({ kind: 'done' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    answer({ kind: 'failed', message, code: isVarveError(error) ? error.code : undefined });
  }
}

function answer(message: MountAnswer): void {
  process.send?.(message, undefined, undefined, () => process.disconnect());
}

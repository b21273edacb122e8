import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, VarveError } from '../../base/varve-error.ts';
import type { MountDiskRequest } from '../attach/mount-disk.ts';
import { compileCacheVariables } from '../compile-cache.ts';

/** What another process is told to do. */
export type MountOrder =
  | { readonly kind: 'mount'; readonly request: Omit<MountDiskRequest, 'signal'> }
  | { readonly kind: 'unmount'; readonly directory: string; readonly runDirectory: string };

/** What it answers. */
export type MountAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string; readonly code: ErrorCode | undefined };

/** The worker is a module beside this one, as source or built. */
const workerModule = new URL(`./mount-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Mounts or unmounts in a process of its own, as `mountDisk` and `unmountDisk` do, so that this one can serve the disk.
 *
 * @throws VarveError as they do
 */
export async function mountElsewhere(order: MountOrder): Promise<void> {
  const worker = fork(fileURLToPath(workerModule), [], {
    env: { ...process.env, ...compileCacheVariables() },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const answer = await new Promise<MountAnswer>((resolve, reject) => {
    worker.once('message', (message) => resolve(message as MountAnswer));
    worker.once('error', reject);
    worker.once('exit', (status, signal) => {
      const how = signal ?? `status ${status}`;
      reject(new VarveError('IO', `cannot ${order.kind}: the process that does it ended with ${how}`));
    });
    worker.send(order);
  });
  if (answer.kind === 'done') return;
  throw answer.code === undefined ? new Error(answer.message) : new VarveError(answer.code, answer.message);
}

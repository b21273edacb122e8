import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, systemError, VarveError } from '../../../base/varve-error.ts';
import type { VolumePlan } from '../../../changes/merge/plan-merge.ts';
import { compileCacheVariables } from '../../compile-cache.ts';

/** What another process is told to do. */
export interface MergeOrder {
  /** The image, for messages. */
  readonly name: string;
  /** The disk that is changed, as a file of this machine. */
  readonly path: string;
  /** The address of the disk that has what is to be repeated. */
  readonly source: string;
  /** An empty directory to mount on. */
  readonly directory: string;
  readonly plans: readonly VolumePlan[];
}

/** What it answers. */
export type MergeAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string; readonly code: ErrorCode | undefined };

/** The worker is a module beside this one, as source or built. */
const workerModule = new URL(`./merge-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Mounts a disk's file systems and changes their files, in a process and a mount namespace of their own: this one serves
 * the disk, and must not wait for the kernel.
 *
 * @throws VarveError as mounting and writing do, `ABORTED`
 */
export async function mergeElsewhere(order: MergeOrder, signal?: AbortSignal): Promise<void> {
  const node = [process.execPath, ...process.execArgv, fileURLToPath(workerModule)];
  const worker = spawn('unshare', ['--mount', '--propagation', 'private', '--', ...node], {
    env: { ...process.env, ...compileCacheVariables() },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stop = () => worker.kill('SIGTERM');
  signal?.addEventListener('abort', stop);
  try {
    const ended = new Promise<void>((resolve) => worker.once('close', () => resolve()));
    const answer = await new Promise<MergeAnswer>((resolve, reject) => {
      worker.once('message', (message) => resolve(message as MergeAnswer));
      worker.once('error', (error) => reject(systemError('run unshare', error)));
      worker.once('close', (status, how) => {
        const code = signal?.aborted ? 'ABORTED' : 'IO';
        const reason = `the process that does it ended with ${how ?? `status ${status}`}`;
        reject(new VarveError(code, `cannot merge ${order.name}: ${reason}`));
      });
      worker.send(order, (error) => error && reject(systemError(`merge ${order.name}`, error)));
    });
    // Its mounts go with it.
    await ended;
    if (answer.kind === 'done') return;
    throw answer.code === undefined ? new Error(answer.message) : new VarveError(answer.code, answer.message);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VarveError } from '../../base/varve-error.ts';
import { compileCacheVariables } from '../compile-cache.ts';
import { type Attachment, logPathIn } from './attachment.ts';
import type { HolderAnswer, HolderRequest } from './holder-messages.ts';

/** The holder is a module beside this one, as source or built. */
const holderModule = new URL(`./holder-worker${extname(import.meta.url)}`, import.meta.url);

/** Reading ahead, flushing and waiting for requests each take a thread for as long as they last. */
const poolThreads = '4';

/**
 * Starts the process that opens a disk and holds it, in a session of its own, so that it outlives this one. Returns when
 * the file shows the disk.
 *
 * @throws VarveError why it could not; `ABORTED` on `signal`
 */
export async function startHolder(request: HolderRequest, signal?: AbortSignal): Promise<Attachment> {
  const log = openSync(logPathIn(request.directory), 'a', 0o600);
  const holder = fork(fileURLToPath(holderModule), [], {
    cwd: '/',
    detached: true,
    env: { ...process.env, UV_THREADPOOL_SIZE: poolThreads, ...compileCacheVariables() },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const stop = (): void => void holder.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const answer = await answerTo(holder, request);
    if (answer.kind === 'ready') return answer.attachment;
    if (answer.code === undefined) throw new Error(answer.message);
    throw new VarveError(answer.code, answer.message);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    if (holder.connected) holder.disconnect();
    holder.unref();
  }
}

function answerTo(holder: ChildProcess, request: HolderRequest): Promise<HolderAnswer> {
  return new Promise((resolve, reject) => {
    holder.once('message', (answer) => {
      // It ends one day, when this process may still be there.
      holder.removeAllListeners('exit');
      resolve(answer as HolderAnswer);
    });
    holder.once('error', reject);
    holder.once('exit', (status, signal) => {
      const how = signal ?? `status ${status}`;
      const said = lastLine(logPathIn(request.directory));
      const what = `cannot attach ${request.attachment.disk}: the process that holds it ended with ${how}`;
      reject(new VarveError('IO', said === '' ? what : `${what}: ${said}`));
    });
    holder.send(request);
  });
}

/** What a process said last that had no time to say it otherwise. */
function lastLine(path: string): string {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.findLast((line) => /\berror\b/i.test(line))?.trim() ?? '';
}

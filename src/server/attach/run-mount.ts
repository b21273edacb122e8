import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** What `mount` is told. */
export interface RunMountOptions {
  readonly source: string;
  readonly target: string;
  readonly type?: string | undefined;
  readonly options?: string | undefined;
  readonly readOnly: boolean;
}

/**
 * Mounts a file system of the kernel's by mount(8), which finds out what it is and knows its options.
 *
 * @throws VarveError `IO` with what it says
 */
export async function runMount({ options, readOnly, source, target, type }: RunMountOptions): Promise<void> {
  const list = [...(readOnly ? ['ro'] : []), ...(options === undefined ? [] : [options])].join(',');
  const args = [
    ...(type === undefined ? [] : ['-t', type]),
    ...(list === '' ? [] : ['-o', list]),
    '--',
    source,
    target,
  ];
  const child = spawn('mount', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [said, status] = await Promise.all([text(child.stderr), ended]).catch((error) => {
    throw systemError('run mount', error);
  });
  if (status === 0) return;
  const [reason = ''] = said.replace(/^mount: /, '').split('\n');
  throw new VarveError(
    'IO',
    `cannot mount the file system: ${reason.replace(/\.$/, '') || `mount ended with ${status}`}`,
  );
}

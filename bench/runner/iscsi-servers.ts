import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, varve } from './program.ts';

/** A process with a disk that is served; disposing of it ends it. */
export interface IscsiServing extends AsyncDisposable {
  readonly pid: number;
  /** As libiscsi takes it. */
  readonly url: string;
}

const name = 'iqn.2026-11.test:disk';

/** Has tgt serve a raw file, without asking who comes. `control` tells its orders from those of other tgt. */
export async function startTgt(path: string, port: number, control: number): Promise<IscsiServing> {
  const ours = ['-C', String(control)];
  const child = spawn('tgtd', ['-f', ...ours, '--iscsi', `portal=127.0.0.1:${port}`], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const order = (...words: string[]): string[] => ['tgtadm', ...ours, '--lld', 'iscsi', ...words];
  const show = order('--mode', 'target', '--op', 'show');
  for (let tries = 0; spawnSync(show[0]!, show.slice(1)).status !== 0; tries += 1) {
    if (child.exitCode !== null || tries > 100) throw new Error('tgtd did not come up');
    await sleep(50);
  }
  run(order('--mode', 'target', '--op', 'new', '--tid', '1', '-T', name));
  run(order('--mode', 'logicalunit', '--op', 'new', '--tid', '1', '--lun', '1', '-b', path));
  run(order('--mode', 'target', '--op', 'bind', '--tid', '1', '-I', 'ALL'));
  return {
    pid: child.pid as number,
    url: `iscsi://127.0.0.1:${port}/${name}/1`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Serves a disk file with what was built. */
export async function startVarveIscsi(path: string, port: number): Promise<IscsiServing> {
  const [program = '', ...args] = varve('serve', path, '--protocol', 'iscsi', '--listen', String(port));
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const [line] = await Promise.race([once(child.stdout, 'data'), ended.then(() => [''])]);
  const [url] = /iscsi:\/\/\S+/.exec(String(line)) ?? [];
  if (url === undefined) throw new Error('varve serve did not come up');
  return {
    pid: child.pid as number,
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

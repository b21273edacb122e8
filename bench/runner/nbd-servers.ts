import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that runs; disposing of it ends it. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number;
}

/** Starts a server, and waits until it answers on its socket. @throws Error where it ends, or does not come up */
export async function startServer(command: readonly string[], socket: string): Promise<RunningServer> {
  // One that was killed leaves its socket behind.
  rmSync(socket, { force: true });
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let tries = 0; !(await answers(socket)); tries += 1) {
    if (child.exitCode !== null || tries > 500) throw new Error(`${command.join(' ')}: did not come up`);
    await sleep(10);
  }
  return {
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

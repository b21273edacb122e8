import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { Watchdog } from '../watchdog.ts';

/** What a command is told, for each disk that is served to it. */
export interface CaptiveDisk {
  /** Its name there; may be empty. */
  readonly exportName: string;
  /** `nbd+unix:///NAME?socket=PATH` */
  readonly uri: string;
}

/** A command that a server runs for. */
export interface CaptiveOptions {
  /** For the shell. */
  readonly command: string;
  readonly socketPath: string;
  /** The directory that the socket is in, which goes with the command. */
  readonly directory: string;
  readonly disks: readonly CaptiveDisk[];
  /** Ends the command. */
  readonly signal: AbortSignal;
}

/** Waits for a line before it becomes the command: a server that is killed first must not leave it behind. */
const gate = 'read -r _ <&3 || exit; exec 3<&- "$@"';

/**
 * Runs a command with the environment variables `nbd`, `uri`, `unixsocket` and `exportname` (and `nbd1`, `uri1`,
 * `nbd2` … for several disks), and gives its exit status, 128 and more for one that a signal ended. The command never
 * outlives this process.
 */
export async function runCaptive(options: CaptiveOptions): Promise<number> {
  const { command, directory, signal } = options;
  await using watchdog = new Watchdog([directory]);
  const child = spawn('/bin/sh', ['-c', gate, 'sh', '/bin/sh', '-c', command], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, ...variables(options) },
  });
  const exited = exitOf(child);
  if (child.pid !== undefined) watchdog.watch(child.pid);
  const opener = child.stdio[3] as Writable;
  // It may be gone already.
  opener.on('error', () => {});
  opener.end('\n');
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await exited;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function variables({ disks, socketPath }: CaptiveOptions): Record<string, string> {
  const numbered = disks.flatMap(({ exportName, uri }, index) => [
    [`nbd${index + 1}`, uri],
    [`uri${index + 1}`, uri],
    [`exportname${index + 1}`, exportName],
  ]);
  const first = disks[0] as CaptiveDisk;
  return {
    ...Object.fromEntries(numbered),
    nbd: first.uri,
    uri: first.uri,
    exportname: first.exportName,
    unixsocket: socketPath,
  };
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

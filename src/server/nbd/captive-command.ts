import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { systemError } from '../../base/varve-error.ts';

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

/**
 * Waits until nobody holds the other end of its standard input, then ends the command and removes the socket: when this
 * process is killed by what it cannot hear, somebody else has to.
 */
const watchdog = `
cat > /dev/null
children=$(cat "/proc/$1/task/$1/children" 2> /dev/null)
kill "$1" $children 2> /dev/null
shift
rm -rf -- "$@"
`;

/** A program that runs for as long as this process lives. */
export interface WatchedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What goes with it, should this process be killed. */
  readonly directories: readonly string[];
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command with the environment variables `nbd`, `uri`, `unixsocket` and `exportname` (and `nbd1`, `uri1`,
 * `nbd2` … for several disks), and gives its exit status.
 */
export async function runCaptive(options: CaptiveOptions): Promise<number> {
  const { command, directory, signal } = options;
  const env = { ...process.env, ...variables(options) };
  return await runWatched({ file: '/bin/sh', args: ['-c', command], env, directories: [directory], signal });
}

/**
 * Runs a program, and gives its exit status, 128 and more for one that a signal ended. It never outlives this process.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` for what cannot be run
 */
export async function runWatched({ args, directories, env, file, signal }: WatchedCommand): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env });
  const exited = exitOf(child);
  if (child.pid === undefined) return await exited.catch((error) => Promise.reject(systemError(`run ${file}`, error)));
  const watcher = spawn('/bin/sh', ['-c', watchdog, 'sh', String(child.pid), ...directories], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const watcherExited = exitOf(watcher);
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await exited;
  } finally {
    signal.removeEventListener('abort', stop);
    // The command's number may be somebody else's by the time that the watchdog looks.
    watcher.kill('SIGKILL');
    await watcherExited;
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

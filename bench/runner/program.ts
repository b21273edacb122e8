import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, projectDirectory } from '../../scripts/setup/project.mjs';

/** What a program that ran left behind. */
export interface Run {
  readonly stdout: string;
  readonly milliseconds: number;
  /** The most memory it held at once, in bytes; undefined where GNU time is not installed. */
  readonly peakMemory: number | undefined;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads from standard input. */
  readonly input?: string | undefined;
}

/** Whether a program is installed. */
export function hasProgram(command: string): boolean {
  return findCommand(command) !== undefined;
}

/** Runs a program to its end, and measures it from outside, its start included. @throws Error when it fails */
export function run(command: readonly string[], options: RunOptions = {}): Run {
  const start = performance.now();
  const [program = '', ...args] = command;
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    ...options,
  });
  const milliseconds = performance.now() - start;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command.join(' ')}: ended with ${signal ?? status}: ${stderr}`);
  return { stdout, milliseconds, peakMemory: peakMemoryIn(stderr) };
}

/** Like `run`, with the memory it took, where GNU time is there to ask. */
export function runWithMemory(command: readonly string[], options: RunOptions = {}): Run {
  const time = findCommand('time');
  return run(time === undefined ? command : [time, '--format', 'peak memory %M KiB', ...command], options);
}

function peakMemoryIn(stderr: string): number | undefined {
  const kibibytes = /peak memory (\d+) KiB\n$/.exec(stderr)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

const program = join(projectDirectory, 'dist/main.js');

/** The command line of varve as it is installed: the built package, on this Node. */
export function varve(...args: string[]): string[] {
  if (!existsSync(program)) throw new Error('dist/ is missing: run npm run build first');
  return [process.execPath, '--disable-warning=ExperimentalWarning', program, ...args];
}

/** The least that any program in this Node costs. */
export const bareNode: readonly string[] = [process.execPath, '-e', '0'];

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { formatSize } from '../../src/base/size.ts';
import { run } from './program.ts';

/** Where something was measured. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memory: string;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
  /** Versions of the programs beside us, by name. */
  readonly programs: Readonly<Record<string, string>>;
  /** ISO 8601 */
  readonly date: string;
  /** Processes that wanted to run, on average over the last minute, when the measuring began. */
  readonly load: number;
}

const versionArguments: Readonly<Record<string, readonly string[]>> = { restic: ['version'], mke2fs: ['-V'] };

/** What this machine is; `directory` is where the measuring happens. */
export function describeMachine(directory: string, programs: readonly string[]): Machine {
  return {
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    processors: os.availableParallelism(),
    memory: formatSize(os.totalmem()),
    kernel: `${os.type()} ${os.release().replace(/-.*/, '')}`,
    fileSystem: run(['df', '--output=fstype', directory]).stdout.trim().split('\n').at(-1) ?? 'unknown',
    node: process.version,
    programs: Object.fromEntries(programs.map((program) => [program, versionOf(program)])),
    date: new Date().toISOString(),
    load: Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]),
  };
}

function versionOf(program: string): string {
  const { stdout, stderr } = spawnSync(program, versionArguments[program] ?? ['--version'], { encoding: 'utf8' });
  return /\d+(\.\d+)*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}

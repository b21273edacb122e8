import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** A run of QEMU's own runner of tests. */
export interface CheckRun {
  /** Where QEMU's source is. */
  readonly source: string;
  /** `-qcow2`, `-nbd` and the tests. */
  readonly options: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** What it said. */
export interface CheckOutcome {
  /** Of each test: `pass`, `fail`, `not run`, and why. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** All that it printed, with how the output of tests that fail differs from what it should be. */
  readonly log: string;
}

/** Runs it, with two tests at a time: more than one gives every test a directory of its own. */
export async function runCheckScript({ environment, options, source }: CheckRun): Promise<CheckOutcome> {
  const all = ['-n', '10', 'python3', './check', '-j', '2', ...options];
  const cwd = join(source, 'tests/qemu-iotests');
  const log = await new Promise<string>((resolve) => {
    const settings = { cwd, env: environment, maxBuffer: 2 ** 28 };
    const started = execFile('nice', all, settings, (_error, stdout, stderr) => resolve(stdout + stderr));
    started.stdin?.end();
  });
  return { log, outcomes: outcomesIn(log) };
}

/** A line of it: `001   pass       [12:00:00] [12:00:01]   0.8s`, and why where it did not run. */
function outcomesIn(log: string): Map<string, string> {
  const lines = log.matchAll(
    /^(\d{3}|[a-z]+(?:-[a-z]+)+) +(pass|fail|not run) +\[.*\] +(?:[\d.]+s|\.\.\.)? *(?:\(last: [\d.]+s\))? *(.*)$/gm,
  );
  return new Map([...lines].map(([, test = '', outcome = '', why = '']) => [test, `${outcome} ${why}`.trim()]));
}

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finding, Judge } from './judge.ts';
import { toolWrappers } from './tool-wrappers.ts';

/** Which of QEMU's tests are run, and with what. */
export interface IotestsOptions {
  /** Where QEMU's source is. */
  readonly source: string;
  readonly tests: readonly string[];
  /** QEMU's own programs, as paths. */
  readonly tools: Readonly<Record<'qemu-img' | 'qemu-io' | 'qemu-nbd', string>>;
  /** The format of QEMU's that the tests are run for. */
  readonly format?: string;
  /** Where files are kept of images that are read differently. */
  readonly keepDirectory?: string | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

/** What came out. */
export interface IotestsResult {
  readonly findings: readonly Finding[];
  /** What QEMU's runner says of each test: `pass`, `fail`, `not run`. */
  readonly outcomes: ReadonlyMap<string, string>;
  /** All that QEMU's runner printed. */
  readonly log: string;
}

/** Runs some of QEMU's file tests, and looks at their images as they come to be. */
export async function runIotests(options: IotestsOptions): Promise<IotestsResult> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-iotests-'));
  try {
    const { keepDirectory, onFinding, tools } = options;
    const scratchFile = join(directory, 'copy.raw');
    const judge = new Judge({ qemuImg: tools['qemu-img'], scratchFile, keepDirectory, onFinding });
    const images = join(directory, 'images');
    await mkdir(images);
    await using wrappers = await toolWrappers(directory, tools, (call) => judge.afterCall(call));
    const environment = {
      ...process.env,
      ...wrappers.environment,
      QEMU_NBD_PROG: tools['qemu-nbd'],
      TEST_DIR: images,
      SOCK_DIR: join(directory, 'sockets'),
    };
    const log = await check(options, environment);
    return { findings: judge.findings, outcomes: outcomesIn(log), log };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Two at a time: more than one gives every test a directory of its own. */
function check({ format = 'qcow2', source, tests }: IotestsOptions, env: NodeJS.ProcessEnv): Promise<string> {
  const options = ['-n', '10', 'python3', './check', '-j', '2', `-${format}`, ...tests];
  const cwd = join(source, 'tests/qemu-iotests');
  return new Promise((resolve) => {
    const started = execFile('nice', options, { cwd, env, maxBuffer: 2 ** 28 }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
    started.stdin?.end();
  });
}

/** A line of it: `001   pass       [12:00:00] [12:00:01]   0.8s`, and why where it did not run. */
function outcomesIn(log: string): Map<string, string> {
  const lines = log.matchAll(
    /^(\d{3}) +(pass|fail|not run) +\[.*\] +(?:[\d.]+s|\.\.\.)? *(?:\(last: [\d.]+s\))? *(.*)$/gm,
  );
  return new Map([...lines].map(([, test = '', outcome = '', why = '']) => [test, `${outcome} ${why}`.trim()]));
}

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckOutcome, runCheckScript } from './check-script.ts';
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
export interface IotestsResult extends CheckOutcome {
  readonly findings: readonly Finding[];
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
    const { format = 'qcow2', source, tests } = options;
    const outcome = await runCheckScript({ source, options: [`-${format}`, ...tests], environment });
    return { findings: judge.findings, ...outcome };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDirectory } from '../../../scripts/project.ts';
import { type CheckOutcome, runCheckScript } from './check-script.ts';
import type { iotestsTools } from './iotests-tools.ts';
import type { NbdTests } from './nbd-tests.ts';
import { machineStubs, writeProgram } from './tool-wrappers.ts';

/** Which of QEMU's tests are run, and against whom. */
export interface NbdIotestsOptions extends NbdTests {
  /** Where QEMU's source is. */
  readonly source: string;
  readonly tools: ReturnType<typeof iotestsTools>;
  readonly server: 'varve' | 'qemu-nbd';
}

/** Runs some of QEMU's tests with a server on NBD: ours in the place of qemu-nbd, or that itself. */
export async function runNbdIotests({
  options,
  server,
  source,
  tests,
  tools,
}: NbdIotestsOptions): Promise<CheckOutcome> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-iotests-'));
  try {
    const images = join(directory, 'images');
    const servers = join(directory, 'servers');
    for (const path of [images, servers]) await mkdir(path);
    const waiting = async (name: 'qemu-img' | 'qemu-io'): Promise<string> => {
      await writeProgram(join(directory, name), waitingScript(tools[name], servers));
      return join(directory, name);
    };
    const environment = {
      ...process.env,
      ...(await machineStubs(directory, tools['qemu-img'])),
      QEMU_IMG_PROG: await waiting('qemu-img'),
      QEMU_IO_PROG: await waiting('qemu-io'),
      QEMU_NBD_PROG: server === 'varve' ? join(import.meta.dirname, 'qemu-nbd-as-varve.sh') : tools['qemu-nbd'],
      ...{ VARVE: join(projectDirectory, 'varve'), REAL_QEMU_NBD: tools['qemu-nbd'], SERVERS: servers },
      ...{ TEST_DIR: images, SOCK_DIR: join(directory, 'sockets') },
    };
    return await runCheckScript({ source, options: [...options, ...tests], environment });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * The tests give a server a second to come and no time to go; on a machine that has much to do, that is not enough for
 * any. One that was told to go has no file with its number any more, and may still have its image.
 */
function waitingScript(tool: string, servers: string): string {
  return `#!/bin/bash
shopt -s nullglob
for _ in {1..1000}; do compgen -G '${servers}/*.starting' > /dev/null || break; sleep 0.01; done
for note in '${servers}'/*.server; do
  read -r process file < "$note"
  for _ in {1..500}; do [ -n "$file" ] && [ ! -e "$file" ] && [ -e "/proc/$process/exe" ] || break; sleep 0.01; done
done
exec '${tool}' "$@"
`;
}

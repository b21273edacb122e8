import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A call of one of QEMU's tools that is over. */
export interface ToolCall {
  /** Where the test that made it keeps its images. */
  readonly testDirectory: string;
  /** Its arguments. */
  readonly options: readonly string[];
}

/** What stands in for QEMU's programs, as environment variables for its tests. */
export interface ToolWrappers extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Programs in `directory` that run QEMU's own, and wait then until `afterCall` is done. Calls are dealt with one after
 * the other; what the caller sees of a tool (output, status, death by a signal) is the tool's own.
 */
export async function toolWrappers(
  directory: string,
  tools: Readonly<Record<'qemu-img' | 'qemu-io', string>>,
  afterCall: (call: ToolCall) => Promise<void>,
): Promise<ToolWrappers> {
  await mkdir(join(directory, 'calls'), { recursive: true });
  const requests = join(directory, 'requests');
  execFileSync('mkfifo', [requests]);
  for (const [name, tool] of Object.entries(tools)) {
    await writeProgram(join(directory, name), wrapperScript(directory, tool));
  }
  const stubs = await machineStubs(directory, tools['qemu-img']);
  // Opened for both, so that the pipe never ends, and twice, as closing it waits for a read that is under way.
  const [pipe, end] = [await open(requests, 'r+'), await open(requests, 'r+')];
  const stream = pipe.createReadStream();
  const served = serve(stream, directory, afterCall);
  return {
    environment: {
      ...stubs,
      QEMU_IMG_PROG: join(directory, 'qemu-img'),
      QEMU_IO_PROG: join(directory, 'qemu-io'),
    },
    async [Symbol.asyncDispose]() {
      await end.write('end\n');
      await served;
      stream.destroy();
      await end.write('\n');
      await end.close();
    },
  };
}

/** What stands in for the emulator and the storage daemon, as environment variables for tests that start neither. */
export async function machineStubs(directory: string, qemuImg: string): Promise<Record<string, string>> {
  const emulator = join(directory, 'qemu-system-none');
  const daemon = join(directory, 'qemu-storage-daemon');
  await writeProgram(emulator, machineStub(qemuImg));
  await writeProgram(daemon, '#!/bin/sh\nexit 1\n');
  return { QEMU_PROG: emulator, QSD_PROG: daemon };
}

export async function writeProgram(path: string, script: string): Promise<void> {
  await writeFile(path, script);
  await chmod(path, 0o755);
}

/**
 * The shell's own words about a program that died by a signal are kept out of the test's output, and the wrapper dies
 * the same way.
 */
function wrapperScript(directory: string, tool: string): string {
  return `#!/bin/bash
{ '${tool}' "$@" 2>&8; status=$?; } 8>&2 2>/dev/null
call='${directory}/calls/'$$
printf '%s\\0' "$TEST_DIR" "$@" > "$call"
mkfifo "$call.reply"
exec 9<>"$call.reply"
echo $$ >> '${directory}/requests'
read -r -t 120 -u 9
rm -f "$call" "$call.reply"
if [ $status -gt 128 ]; then ulimit -c 0; kill -$((status - 128)) $$; fi
exit $status
`;
}

/** What QEMU's tests ask the emulator for where they start no machine. */
function machineStub(qemuImg: string): string {
  return `#!/bin/sh
case "$*" in
*'-device help'*) echo 'name "virtio-blk-pci", bus PCI' ;;
*'-machine help'*) echo 'pc                   Standard PC (default)' ;;
*format=help*) '${qemuImg}' --help | grep '^Supported formats:'; echo ;;
*) exit 1 ;;
esac
`;
}

async function serve(
  requests: NodeJS.ReadableStream,
  directory: string,
  afterCall: (call: ToolCall) => Promise<void>,
): Promise<void> {
  for await (const line of createInterface({ input: requests })) {
    if (line === 'end') return;
    const path = join(directory, 'calls', line);
    const [testDirectory = '', ...options] = (await readFile(path, 'utf8')).split('\0').slice(0, -1);
    await afterCall({ testDirectory, options });
    await reply(`${path}.reply`);
  }
}

/** Nobody waits where the test killed what it had started, or it waited too long. */
async function reply(path: string): Promise<void> {
  try {
    await using pipe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    await pipe.write('\n');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENXIO' && code !== 'ENOENT') throw error;
    await rm(path, { force: true });
  }
}

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type MemoryDevice, memoryDevice } from '../../src/block/memory-device.ts';

const execute = promisify(execFile);

/** Runs a program with UTF-8 names and UTC times, and returns what it prints. */
export async function run(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<string> {
  const env = {
    ...process.env,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    ...environment,
  };
  const { stdout } = await execute(program, [...args], { env, maxBuffer: 64 << 20 });
  return stdout;
}

/**
 * Makes an image in a file of `size` bytes by `make`, which gets its path and an empty directory to work in, and
 * returns what opens it: over and over, each time as it was made.
 */
export async function sampleImage(
  size: number,
  make: (image: string, directory: string) => Promise<void>,
): Promise<() => MemoryDevice> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const image = join(directory, 'image');
    fs.mkdirSync(join(directory, 'work'));
    fs.writeFileSync(image, '');
    fs.truncateSync(image, size);
    await make(image, join(directory, 'work'));
    const bytes = await readFile(image);
    return () => memoryDevice(bytes);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

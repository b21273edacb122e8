import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';

const run = promisify(execFile);

/** Git ignores it, and it can be deleted at any time. */
const cacheDirectory = join(projectDirectory, '.cache/debian-packages');

/** Either where something is, or why it cannot be had here. */
export type Fetched<T> = T | { readonly reason: string };

/**
 * The files of a Debian package that is not installed, unpacked in a directory of their own; downloaded with apt-get
 * the first time. Of a package that only names another one, as that of the newest kernel, the other's.
 */
export async function unpackedPackage(name: string): Promise<Fetched<{ readonly directory: string }>> {
  const directory = join(cacheDirectory, name);
  if (existsSync(directory)) return { directory };
  await mkdir(cacheDirectory, { recursive: true });
  const working = await mkdtemp(`${directory}.`);
  try {
    await unpack(name, working);
    await rename(join(working, 'files'), directory).catch(() => undefined);
    return { directory };
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n') : [String(error)];
    const why = lines.find((line) => line.startsWith('E: ')) ?? lines[0];
    return { reason: `the Debian package ${name} cannot be downloaded with apt-get: ${why}` };
  } finally {
    await rm(working, { recursive: true, force: true });
  }
}

async function unpack(name: string, working: string): Promise<void> {
  try {
    await download(name, working);
  } catch (error) {
    // The lists may be too old, or missing.
    if (process.getuid?.() !== 0) throw error;
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', 'update']);
    await download(name, working);
  }
  const archive = (await readdir(working)).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error('it came without a file');
  await run('dpkg-deb', ['-x', join(working, archive), join(working, 'files')]);
}

async function download(name: string, working: string): Promise<void> {
  const { stdout } = await run('apt-cache', ['show', '--no-all-versions', name]);
  // Debian's names of such packages have no version, those of what they stand for do.
  const [, stoodFor] = /^Depends: (linux-image-\d\S*)/m.exec(stdout) ?? [];
  const options = ['-q', '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=2'];
  await run('apt-get', [...options, 'download', stoodFor ?? name], { cwd: working });
}

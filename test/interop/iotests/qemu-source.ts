import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../../scripts/setup/project.mjs';

const run = promisify(execFile);

/** Git ignores it, and it can be deleted at any time. */
const sourceDirectory = join(projectDirectory, '.cache/qemu-source');

/** Either where QEMU's source is, or why it cannot be had here. */
export type QemuSource = { readonly directory: string } | { readonly reason: string };

/**
 * The parts of QEMU's source package that its file tests need, of the version that this Debian has; downloaded with
 * apt the first time (24 MB), with package lists of its own.
 */
export async function qemuSource(): Promise<QemuSource> {
  if (existsSync(sourceDirectory)) return { directory: sourceDirectory };
  const working = `${sourceDirectory}.${process.pid}`;
  try {
    await download(working);
    await rename(working, sourceDirectory).catch(() => undefined);
    return { directory: sourceDirectory };
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n') : [String(error)];
    return { reason: `QEMU's source package cannot be downloaded with apt-get: ${lines.find((line) => line !== '')}` };
  } finally {
    await rm(working, { recursive: true, force: true });
  }
}

async function download(working: string): Promise<void> {
  const directories = ['lists/partial', 'cache/archives/partial', 'parts', 'package'];
  for (const directory of directories) await mkdir(join(working, directory), { recursive: true });
  await writeSources(join(working, 'parts'));
  const settings = [
    `Dir::State::Lists=${join(working, 'lists')}`,
    'Dir::Etc::SourceList=/dev/null',
    `Dir::Etc::SourceParts=${join(working, 'parts')}`,
    `Dir::Cache=${join(working, 'cache')}`,
    'Acquire::Retries=2',
  ].flatMap((setting) => ['-o', setting]);
  const packageDirectory = join(working, 'package');
  await run('apt-get', [...settings, 'update']);
  await run('apt-get', [...settings, '--download-only', 'source', 'qemu'], { cwd: packageDirectory });
  const archive = (await readdir(packageDirectory)).find((name) => /\.orig\.tar\.\w+$/.test(name));
  if (archive === undefined) throw new Error('the package holds no .orig.tar');
  const parts = ['*/tests/qemu-iotests', '*/python/qemu'];
  await run('tar', [
    '-xf',
    join(packageDirectory, archive),
    '-C',
    working,
    '--strip-components=1',
    '--wildcards',
    ...parts,
  ]);
  for (const directory of ['lists', 'cache', 'parts', 'package']) {
    await rm(join(working, directory), { recursive: true });
  }
}

/** The distribution's own sources, asked for source packages: mirror and keyring stay those of this machine. */
async function writeSources(directory: string): Promise<void> {
  let count = 0;
  for (const name of ['sources.list', 'sources.list.d/debian.sources', 'sources.list.d/ubuntu.sources']) {
    const text = await readFile(join('/etc/apt', name), 'utf8').catch(() => '');
    const isStanzas = name.endsWith('.sources');
    const sources = isStanzas
      ? text.replaceAll(/^Types:.*$/gm, 'Types: deb-src')
      : text.replaceAll(/^deb\s/gm, 'deb-src ');
    if (!sources.includes('deb-src')) continue;
    await writeFile(join(directory, `${count}.${isStanzas ? 'sources' : 'list'}`), sources);
    count += 1;
  }
  if (count === 0) throw new Error('apt has no sources of a Debian here');
}

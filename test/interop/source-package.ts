import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/setup/project.mjs';

const run = promisify(execFile);

/** Either where the source is, or why it cannot be had here. */
export type PackageSource = { readonly directory: string } | { readonly reason: string };

/** What of a source package is wanted. */
export interface SourcePackage {
  /** Its name in Debian. */
  readonly name: string;
  /** What messages call it. */
  readonly title: string;
  /** Patterns of the paths in it that are unpacked. */
  readonly parts: readonly string[];
}

/**
 * Parts of a source package, of the version that this Debian has; downloaded with apt the first time, with package lists
 * of its own. Git ignores where it is kept, and it can be deleted at any time.
 */
export async function sourcePackage(wanted: SourcePackage): Promise<PackageSource> {
  const directory = join(projectDirectory, `.cache/${wanted.name}-source`);
  if (existsSync(directory)) return { directory };
  const working = `${directory}.${process.pid}`;
  try {
    await download(working, wanted);
    await rename(working, directory).catch(() => undefined);
    return { directory };
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n') : [String(error)];
    const why = lines.find((line) => line !== '');
    return { reason: `${wanted.title}'s source package cannot be downloaded with apt-get: ${why}` };
  } finally {
    await rm(working, { recursive: true, force: true });
  }
}

async function download(working: string, { name, parts }: SourcePackage): Promise<void> {
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
  await run('apt-get', [...settings, '--download-only', 'source', name], { cwd: packageDirectory });
  const archive = (await readdir(packageDirectory)).find((each) => /\.orig\.tar\.\w+$/.test(each));
  if (archive === undefined) throw new Error('the package holds no .orig.tar');
  const options = ['-C', working, '--strip-components=1', '--wildcards', ...parts];
  await run('tar', ['-xf', join(packageDirectory, archive), ...options]);
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

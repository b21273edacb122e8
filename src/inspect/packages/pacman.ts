import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { entriesOf, kindOf, type ListedFile, readListed } from '../guest-files.ts';
import { type InstalledPackage, mostPackages, splitVersion } from './installed-package.ts';
import { pacmanDatabase } from './package-databases.ts';

const description = new TextEncoder().encode('desc');

/**
 * The packages of Arch Linux, from the `desc` of each: `%NAME%` on a line of its own, values on the next lines, an empty one.
 *
 * Source: the local database that libalpm writes, as alpm-db-desc(5) describes it.
 */
export async function pacmanPackages(tree: GuestTree, warn: Warn): Promise<InstalledPackage[]> {
  const packages: InstalledPackage[] = [];
  for (const directory of await entriesOf(tree, pacmanDatabase)) {
    if (directory.name === 'ALPM_DB_VERSION') continue;
    const path = `${directory.path}/desc`;
    if (packages.length === mostPackages) {
      warn({ path: pacmanDatabase, message: `${pacmanDatabase} has more than ${mostPackages}; the rest is left out` });
      break;
    }
    const found = await attempt(path, warn, undefined, () => packageAt(tree, directory, path, warn));
    if (found !== undefined) packages.push(found);
  }
  return packages;
}

async function packageAt(
  tree: GuestTree,
  directory: ListedFile,
  path: string,
  warn: Warn,
): Promise<InstalledPackage | undefined> {
  const { fileSystem } = directory;
  const isDirectory = (await kindOf(directory)) === 'directory';
  const node = isDirectory ? await fileSystem.lookup(directory.node, description) : undefined;
  const read = node === undefined ? undefined : await readListed(tree, { name: 'desc', path, fileSystem, node });
  const fields = parseDescription(read?.text ?? '');
  const first = (name: string) => fields.get(name)?.[0];
  const [name, fullVersion] = [first('NAME'), first('VERSION')];
  if (read === undefined || !name || !fullVersion) {
    warn({ path, message: `${path} names no package and version` });
    return undefined;
  }
  return {
    ...{ format: 'pacman', name, fullVersion, ...splitVersion(fullVersion), architecture: first('ARCH') },
    ...{ size: numberOf(first('SIZE')), installed: numberOf(first('INSTALLDATE')), state: 'installed' },
    ...{ sourcePackage: first('BASE') ?? name, sourceVersion: fullVersion, summary: first('DESC') },
    ...{ url: first('URL'), license: fields.get('LICENSE')?.join(' AND '), vendor: first('PACKAGER') },
    source: { path: read.path },
  };
}

function parseDescription(text: string): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  let values: string[] | undefined;
  for (const line of text.split('\n')) {
    const name = /^%([A-Z0-9]+)%$/.exec(line)?.[1];
    if (name === undefined) {
      if (line !== '') values?.push(line);
      continue;
    }
    values = [];
    fields.set(name, values);
  }
  return fields;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

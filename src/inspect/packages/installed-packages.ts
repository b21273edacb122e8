import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { noWarnings, type Warn } from '../fact.ts';
import { beginFact } from '../guest-files.ts';
import { apkPackages } from './apk.ts';
import { dpkgPackages } from './dpkg.ts';
import { comparePackages, type InstalledPackage } from './installed-package.ts';
import { apkDatabases, pacmanDatabase, rpmDatabases } from './package-databases.ts';
import { pacmanPackages } from './pacman.ts';

/**
 * The packages that are installed on a guest, as the databases of dpkg, rpm, apk and pacman have them, by name. Nothing of
 * the guest is run. `warn` hears of what could not be read.
 */
export async function installedPackages(tree: GuestTree, warn: Warn = noWarnings): Promise<InstalledPackage[]> {
  beginFact(tree);
  const packages = [
    ...(await dpkgPackages(tree, warn)),
    ...(await rpmDatabasePackages(tree, warn)),
    ...(await ofFirst(tree, apkDatabases, warn, apkPackages)),
    ...(await attempt(pacmanDatabase, warn, [], () => pacmanPackages(tree, warn))),
  ];
  return packages.sort(comparePackages);
}

async function rpmDatabasePackages(tree: GuestTree, warn: Warn): Promise<InstalledPackage[]> {
  const { rpmPackages } = await import('./rpm/rpm-packages.ts');
  return await ofFirst(tree, rpmDatabases, warn, rpmPackages);
}

type Read = (tree: GuestTree, path: string, warn: Warn) => Promise<InstalledPackage[]>;

/** The packages in the first database that is there: older ones are left where a system was upgraded. */
async function ofFirst(tree: GuestTree, paths: readonly string[], warn: Warn, read: Read): Promise<InstalledPackage[]> {
  for (const path of paths) {
    const found = await attempt(path, warn, undefined, async () => {
      return (await tree.find(path)) === undefined ? undefined : await read(tree, path, warn);
    });
    if (found !== undefined) return found;
  }
  return [];
}

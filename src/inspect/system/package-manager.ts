import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type Fact, noWarnings, type Warn } from '../fact.ts';
import { apkDatabases, dpkgDirectory, pacmanDatabase, rpmDatabases } from '../packages/package-databases.ts';

/** How a guest installs software. */
export interface PackageManagement {
  /** `deb`, `rpm`, `apk`, `pacman`, … */
  readonly format?: Fact<string> | undefined;
  /** `apt`, `dnf`, `zypper`, … */
  readonly manager?: Fact<string> | undefined;
}

/** Where the database of a format stands. */
const formats: readonly (readonly [path: string, format: string])[] = [
  [`${dpkgDirectory}/status`, 'deb'],
  [`${dpkgDirectory}/status.d`, 'deb'],
  ...rpmDatabases.map((path) => [path, 'rpm'] as const),
  ...apkDatabases.map((path) => [path, 'apk'] as const),
  [pacmanDatabase, 'pacman'],
  ['/var/db/pkg', 'ebuild'],
  ['/var/db/xbps', 'xbps'],
];

/** The programs that fetch packages of a format, newest first. */
const programs: readonly (readonly [format: string, path: string, manager: string])[] = [
  ['deb', '/usr/bin/apt-get', 'apt'],
  ['rpm', '/usr/bin/dnf5', 'dnf'],
  ['rpm', '/usr/bin/dnf', 'dnf'],
  ['rpm', '/usr/bin/zypper', 'zypper'],
  ['rpm', '/usr/bin/microdnf', 'dnf'],
  ['rpm', '/usr/sbin/urpmi', 'urpmi'],
  ['rpm', '/usr/bin/tdnf', 'tdnf'],
  ['rpm', '/usr/bin/yum', 'yum'],
  ['rpm', '/usr/sbin/up2date', 'up2date'],
  ['apk', '/sbin/apk', 'apk'],
  ['apk', '/usr/bin/apk', 'apk'],
  ['pacman', '/usr/bin/pacman', 'pacman'],
  ['ebuild', '/usr/bin/emerge', 'portage'],
  ['xbps', '/usr/bin/xbps-install', 'xbps'],
];

/** How a guest installs software: by the databases and programs that are there. */
export async function packageManagementOf(tree: GuestTree, warn: Warn = noWarnings): Promise<PackageManagement> {
  const format = await firstThere(tree, formats, warn);
  const own = programs.filter(([each]) => each === format?.value).map(([, path, manager]) => [path, manager] as const);
  return { format, manager: await firstThere(tree, own, warn) };
}

async function firstThere(
  tree: GuestTree,
  places: readonly (readonly [path: string, value: string])[],
  warn: Warn,
): Promise<Fact<string> | undefined> {
  for (const [path, value] of places) {
    const file = await attempt(path, warn, undefined, () => tree.find(path));
    if (file !== undefined) return { value, source: { path: file.path } };
  }
  return undefined;
}

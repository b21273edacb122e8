import type { GuestTree } from '../../guest/guest-tree.ts';
import { noWarnings } from '../../inspect/fact.ts';
import { readText } from '../../inspect/guest-files.ts';
import { apkDatabases, dpkgDirectory, pacmanDatabase, rpmDatabases } from '../../inspect/packages/package-databases.ts';
import type { FileChange } from '../file-change.ts';
import { type ConfigurationChange, configurationChanges } from './configuration-changes.ts';
import { type NamedChange, namedChanges } from './named-changes.ts';
import { type PackageChange, packageChanges } from './package-changes.ts';
import { type Accounts, type UserChange, userChanges } from './user-changes.ts';

/** What changes of files mean to the system that they are of. */
export interface Meaning {
  readonly packages: readonly PackageChange[];
  readonly users: readonly UserChange[];
  /** Those that start by themselves. */
  readonly services: readonly NamedChange[];
  readonly kernels: readonly NamedChange[];
  readonly configuration: readonly ConfigurationChange[];
}

/** The files of both sides. */
export interface MeaningSides {
  readonly before: GuestTree;
  readonly after: GuestTree;
}

const packageFiles = [dpkgDirectory, pacmanDatabase, ...apkDatabases, ...rpmDatabases];
const serviceFiles =
  /^\/(?:etc|(?:usr\/)?(?:local\/)?lib)\/systemd\/|^\/etc\/(?:rc\d\.d|rc\.d|init\.d|runlevels|inittab)(?:\/|$)/;
const kernelFiles = /^\/boot(?:\/|$)|^\/(?:usr\/)?lib\/modules(?:\/|$)/;
const accountFiles = /^\/etc\/(?:passwd|shadow)$/;
const keyFiles = /\/\.ssh\/authorized_keys2?$/;
const largestShadow = 16 << 20;

/** What the changes mean. Facts are only looked for where a file changed that they stand in. */
export async function meaningOf(
  sides: MeaningSides,
  changes: readonly FileChange[],
  { withConfiguration }: { readonly withConfiguration: boolean },
): Promise<Meaning> {
  const paths = changes.flatMap(({ before, after }) => [before, after].flatMap((file) => (file ? [file.path] : [])));
  const touches = (test: (path: string) => boolean) => paths.some(test);
  return {
    packages: touches(isOfPackages) ? await packagesOf(sides) : [],
    users: touches((path) => accountFiles.test(path) || keyFiles.test(path)) ? await usersIn(sides, paths) : [],
    services: touches((path) => serviceFiles.test(path)) ? await servicesOf(sides) : [],
    kernels: touches((path) => kernelFiles.test(path)) ? await kernelsIn(sides) : [],
    configuration: withConfiguration ? await configurationChanges(changes) : [],
  };
}

/** A directory that is gone or new as a whole may hold a database, too; of one that was renamed only that is told. */
function isOfPackages(path: string): boolean {
  return packageFiles.some((file) => path === file || path.startsWith(`${file}/`) || file.startsWith(`${path}/`));
}

async function packagesOf({ before, after }: MeaningSides): Promise<PackageChange[]> {
  const { installedPackages } = await import('../../inspect/packages/installed-packages.ts');
  return packageChanges(await installedPackages(before, noWarnings), await installedPackages(after, noWarnings));
}

async function usersIn({ before, after }: MeaningSides, paths: readonly string[]): Promise<UserChange[]> {
  const hasOtherKeys = ({ home }: { readonly home: string }) => {
    return paths.some((path) => keyFiles.test(path) && path.startsWith(`${home.replace(/\/+$/, '')}/.ssh/`));
  };
  return userChanges(await accountsOf(before), await accountsOf(after), hasOtherKeys);
}

async function accountsOf(tree: GuestTree): Promise<Accounts> {
  const { usersOf } = await import('../../inspect/system/users.ts');
  const { attempt } = await import('../../inspect/attempt.ts');
  const shadow = await attempt('/etc/shadow', noWarnings, undefined, () =>
    readText(tree, '/etc/shadow', largestShadow),
  );
  const lines = (shadow?.text ?? '').split('\n').map((line) => line.split(':'));
  return {
    users: await usersOf(tree, noWarnings),
    secrets: new Map(lines.map(([name = '', secret = '']) => [name, secret])),
  };
}

async function servicesOf({ before, after }: MeaningSides): Promise<NamedChange[]> {
  const { enabledServices } = await import('../../inspect/services/enabled-services.ts');
  const [old, now] = [await enabledServices(before, noWarnings), await enabledServices(after, noWarnings)];
  return namedChanges(
    old,
    now,
    ({ name }) => name,
    ({ enabledBy }) => enabledBy.join(),
  );
}

async function kernelsIn({ before, after }: MeaningSides): Promise<NamedChange[]> {
  const { kernelsOf } = await import('../../inspect/system/kernels.ts');
  const [old, now] = [await kernelsOf(before, noWarnings), await kernelsOf(after, noWarnings)];
  return namedChanges(
    old,
    now,
    ({ version, path }) => version ?? path,
    ({ path, initrds }) => [path, ...initrds].join(),
  );
}

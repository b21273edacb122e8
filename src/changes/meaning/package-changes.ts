import type { InstalledPackage } from '../../inspect/packages/installed-package.ts';
import { compareVersions } from './compare-versions.ts';

/** What became of a package. */
export interface PackageChange {
  readonly change: 'added' | 'removed' | 'upgraded' | 'downgraded' | 'changed';
  readonly name: string;
  readonly architecture?: string | undefined;
  readonly format: InstalledPackage['format'];
  /** Its version, or several with commas: kernels of rpm stand beside each other. Undefined where there was none. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** The packages that differ, by name. `changed` are those of the same version in another state. */
export function packageChanges(
  before: readonly InstalledPackage[],
  after: readonly InstalledPackage[],
): PackageChange[] {
  const [old, now] = [byIdentity(before), byIdentity(after)];
  const found: PackageChange[] = [];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(key), now.get(key)];
    const { name, architecture, format } = (is ?? was)![0]!;
    const versions = { before: was && versionsOf(was), after: is && versionsOf(is) };
    const change = changeOf(was, is, versions);
    if (change !== undefined) found.push({ change, name, architecture, format, ...versions });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** What is left of a package that was removed, such as its settings, is none. */
function byIdentity(packages: readonly InstalledPackage[]): Map<string, InstalledPackage[]> {
  const isThere = ({ state }: InstalledPackage) => state !== 'config-files' && state !== 'not-installed';
  return Map.groupBy(packages.filter(isThere), ({ format, name, architecture = '' }) => {
    return `${format} ${name} ${architecture}`;
  });
}

function versionsOf(packages: readonly InstalledPackage[]): string {
  return packages.map(({ fullVersion }) => fullVersion).join(', ');
}

function changeOf(
  was: readonly InstalledPackage[] | undefined,
  is: readonly InstalledPackage[] | undefined,
  { before = '', after = '' }: { readonly before: string | undefined; readonly after: string | undefined },
): PackageChange['change'] | undefined {
  if (was === undefined) return 'added';
  if (is === undefined) return 'removed';
  const states = (each: readonly InstalledPackage[]) => each.map(({ state }) => state).join();
  if (before === after) return states(was) === states(is) ? undefined : 'changed';
  if (was.length > 1 || is.length > 1) return 'changed';
  const order = compareVersions(before, after);
  return order === 0 ? 'changed' : order < 0 ? 'upgraded' : 'downgraded';
}

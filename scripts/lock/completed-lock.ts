import { platformOf } from './platform-of.ts';

/** One package of a lock file, as far as it is read here; all other fields are kept as they are. */
export interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** package-lock.json, version 3: packages by their place (`node_modules/…`); the project itself is `''`. */
export interface PackageLock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Optional dependencies that have an exact version and no entry in `lock`, with the package that asks for them. */
export function missingOptionalPackages(lock: PackageLock): { name: string; version: string; dev: boolean }[] {
  const asked = Object.values(lock.packages).flatMap((parent) =>
    Object.entries(parent.optionalDependencies ?? {}).map(([name, version]) => ({
      name,
      version,
      dev: parent.dev ?? false,
    })),
  );
  return asked.filter(({ name, version }) => !(placeOf(name) in lock.packages) && /^\d+\.\d+\.\d+/.test(version));
}

/** `lock` with an entry for each missing optional package, in npm's order, and the names of those added. */
export function completedLock(lock: PackageLock): { completed: PackageLock; added: string[] } {
  const missing = missingOptionalPackages(lock);
  const packages: Record<string, LockedPackage> = { ...lock.packages };
  for (const { name, version, dev } of missing) {
    packages[placeOf(name)] = { version, ...(dev && { dev }), optional: true, ...platformOf(name) };
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { completed: { ...lock, packages: Object.fromEntries(sorted) }, added: missing.map(({ name }) => name) };
}

function placeOf(name: string): string {
  return `node_modules/${name}`;
}

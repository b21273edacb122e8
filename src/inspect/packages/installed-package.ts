import type { FactSource } from '../fact.ts';

/** The kinds of packages that are known here, by what virt-inspector calls their formats; programs of Windows are `windows`. */
export type PackageFormat = 'deb' | 'rpm' | 'apk' | 'pacman' | 'windows';

/** A package that is on a guest's disk, as its package manager has it on record. */
export interface InstalledPackage {
  readonly format: PackageFormat;
  readonly name: string;
  /** What people see, where its name is for programs: of what is installed on Windows. */
  readonly displayName?: string | undefined;
  /** As its manager writes it: `1:2.36-9+deb12u1`. */
  readonly fullVersion: string;
  /** Undefined where the version names none, which counts as 0. */
  readonly epoch?: number | undefined;
  /** Without epoch and release. */
  readonly version: string;
  readonly release?: string | undefined;
  /** As the format names it: `amd64`, `x86_64`, `all`, `noarch`. */
  readonly architecture?: string | undefined;
  /** What it takes when it is installed, in bytes, as its maker said. */
  readonly size?: number | undefined;
  /** What it was built from. */
  readonly sourcePackage?: string | undefined;
  readonly sourceVersion?: string | undefined;
  /** When it was installed last, in seconds since 1970. */
  readonly installed?: number | undefined;
  /** `installed`, or how far dpkg came: `half-installed`, `unpacked`, … */
  readonly state: string;
  readonly summary?: string | undefined;
  readonly description?: string | undefined;
  readonly url?: string | undefined;
  readonly license?: string | undefined;
  /** Who made the package. */
  readonly vendor?: string | undefined;
  readonly source: FactSource;
}

/** More than any system has. */
export const mostPackages = 500_000;

/** A version taken apart at its last dash and its first colon. */
export function splitVersion(fullVersion: string): Pick<InstalledPackage, 'epoch' | 'version' | 'release'> {
  const [, epoch, rest = fullVersion] = /^(\d{1,10}):(.*)$/s.exec(fullVersion) ?? [];
  const dash = rest.lastIndexOf('-');
  return {
    ...(epoch !== undefined && { epoch: Number(epoch) }),
    version: dash < 0 ? rest : rest.slice(0, dash),
    ...(dash >= 0 && { release: rest.slice(dash + 1) }),
  };
}

/** By name, then architecture, then version, as bytes compare. */
export function comparePackages(a: InstalledPackage, b: InstalledPackage): number {
  return (
    compare(a.name, b.name) ||
    compare(a.architecture ?? '', b.architecture ?? '') ||
    compare(a.fullVersion, b.fullVersion)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

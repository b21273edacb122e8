import type { GuestTree } from '../../guest/guest-tree.ts';
import { parseAssignments } from '../assignments.ts';
import { attempt } from '../attempt.ts';
import { type Fact, noWarnings, type Warn } from '../fact.ts';
import { readText } from '../guest-files.ts';
import { findLegacyRelease } from './legacy-release.ts';

/** Which system is on a disk. */
export interface OperatingSystem {
  readonly kind: Fact<'linux' | 'windows'>;
  /** As os-release's `ID` has it: `debian`, `fedora`, `opensuse-leap`. */
  readonly distribution?: Fact<string> | undefined;
  /** What it is derived from, as `ID_LIKE` has it. */
  readonly distributionLike?: Fact<string> | undefined;
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly productName?: Fact<string> | undefined;
  /** As exact as it is known: `12.5`. */
  readonly version?: Fact<string> | undefined;
  readonly codename?: Fact<string> | undefined;
  /** Which edition: `server`, `Client`. */
  readonly variant?: Fact<string> | undefined;
  /** Where Windows is: `/Windows`. */
  readonly windowsRoot?: Fact<string> | undefined;
}

/** Which Linux a guest is; undefined where it is none. */
export async function linuxSystem(tree: GuestTree, warn: Warn = noWarnings): Promise<OperatingSystem | undefined> {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const found = await attempt(path, warn, undefined, () => readRelease(tree, path));
    if (found !== undefined) return await withExactVersion(tree, found, warn);
  }
  return await findLegacyRelease(tree, warn);
}

/** Source: os-release(5). */
async function readRelease(tree: GuestTree, path: string): Promise<OperatingSystem | undefined> {
  const read = await readText(tree, path);
  if (read === undefined) return undefined;
  const assignments = parseAssignments(read.text);
  const fact = (name: string): Fact<string> | undefined => {
    const found = assignments.get(name);
    if (found === undefined || found.value === '') return undefined;
    return { value: found.value, source: { path: read.path, record: `line ${found.line}` } };
  };
  return {
    kind: { value: 'linux', source: { path: read.path } },
    distribution: fact('ID') ?? { value: 'linux', source: { path: read.path } },
    distributionLike: fact('ID_LIKE'),
    productName: fact('PRETTY_NAME') ?? fact('NAME'),
    version: fact('VERSION_ID'),
    codename: fact('VERSION_CODENAME'),
    variant: fact('VARIANT_ID'),
  };
}

/** Where a distribution notes more of its version than os-release has. */
const exactVersions: Readonly<Record<string, readonly [path: string, pattern: RegExp]>> = {
  debian: ['/etc/debian_version', /^(\d+(?:\.\d+)+)/],
  centos: ['/etc/centos-release', /release (\d+(?:\.\d+)+)/],
};

async function withExactVersion(tree: GuestTree, system: OperatingSystem, warn: Warn): Promise<OperatingSystem> {
  const [path, pattern] = exactVersions[system.distribution?.value ?? ''] ?? [];
  if (path === undefined || pattern === undefined) return system;
  const read = await attempt(path, warn, undefined, () => readText(tree, path));
  const value = pattern.exec(read?.text ?? '')?.[1];
  const known = system.version?.value;
  if (read === undefined || value === undefined || (known !== undefined && !value.startsWith(known))) return system;
  return { ...system, version: { value, source: { path: read.path } } };
}

/** The numbers that a version begins with, where it does: `22.04` is 22 and 4. */
export function versionNumbers(version: string | undefined): { readonly major?: number; readonly minor?: number } {
  const [, major, minor] = /^(\d{1,9})(?:\.(\d{1,9}))?/.exec(version ?? '') ?? [];
  return {
    ...(major !== undefined && { major: Number(major) }),
    ...(minor !== undefined && { minor: Number(minor) }),
  };
}

import type { Inspection } from '../inspection.ts';
import { versionNumbers } from '../system/operating-system.ts';

/** Distributions whose short names in libosinfo end with a major version alone. */
const byMajor: Readonly<Record<string, string>> = {
  debian: 'debian',
  fedora: 'fedora',
  rocky: 'rocky',
  almalinux: 'almalinux',
  mageia: 'mageia',
};

/** Those with a minor version, too. */
const byMinor: Readonly<Record<string, string>> = {
  alpine: 'alpinelinux',
  'opensuse-leap': 'opensuse',
  opensuse: 'opensuse',
  ol: 'ol',
  rhel: 'rhel',
};

/** Those without. */
const rolling: Readonly<Record<string, string>> = {
  arch: 'archlinux',
  gentoo: 'gentoo',
  'opensuse-tumbleweed': 'opensusetumbleweed',
  void: 'voidlinux',
};

/** A system's short name in libosinfo's database, which `virt-install --osinfo` takes; undefined where that is not known. */
export function osinfoOf({ distribution, kind, variant, version }: Inspection): string | undefined {
  if (kind?.value === 'windows') return windowsName(version?.value, variant?.value === 'Server');
  const id = distribution?.value ?? '';
  const text = version?.value;
  const { major, minor = 0 } = versionNumbers(text);
  if (rolling[id] !== undefined) return rolling[id];
  if (major === undefined) return undefined;
  if (byMajor[id] !== undefined) return `${byMajor[id]}${major}`;
  if (byMinor[id] !== undefined) return `${byMinor[id]}${major}.${minor}`;
  if (id === 'ubuntu') return `ubuntu${/^\d+\.\d+/.exec(text!)?.[0] ?? major}`;
  if (id === 'centos') return major >= 8 && !/\./.test(text!) ? `centos-stream${major}` : `centos${major}.${minor}`;
  if (id === 'sles') return minor === 0 ? `sles${major}` : `sles${major}sp${minor}`;
  return undefined;
}

/** Versions of Windows, and the builds from which on they count: desktops, and servers. */
const desktops: readonly (readonly [from: string, name: string])[] = [
  ['5.1', 'winxp'],
  ['6.0', 'winvista'],
  ['6.1', 'win7'],
  ['6.2', 'win8'],
  ['6.3', 'win8.1'],
  ['10.0', 'win10'],
  ['10.0.22000', 'win11'],
];
const servers: readonly (readonly [from: string, name: string])[] = [
  ['5.2', 'win2k3'],
  ['6.0', 'win2k8'],
  ['6.1', 'win2k8r2'],
  ['6.2', 'win2k12'],
  ['6.3', 'win2k12r2'],
  ['10.0', 'win2k16'],
  ['10.0.17763', 'win2k19'],
  ['10.0.20348', 'win2k22'],
  ['10.0.26100', 'win2k25'],
];

function windowsName(version: string | undefined, isServer: boolean): string | undefined {
  const numbers = numbersOf(version ?? '');
  return (isServer ? servers : desktops).findLast(([from]) => isAtLeast(numbers, numbersOf(from)))?.[1];
}

function numbersOf(version: string): number[] {
  return version.split('.').map(Number);
}

function isAtLeast(numbers: readonly number[], others: readonly number[]): boolean {
  const index = others.findIndex((other, each) => other !== (numbers[each] ?? 0));
  return index < 0 || (numbers[index] ?? 0) > others[index]!;
}

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
export function osinfoOf({ distribution, kind, version }: Inspection): string | undefined {
  if (kind?.value !== 'linux') return undefined;
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

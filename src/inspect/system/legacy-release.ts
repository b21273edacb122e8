import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { readText } from '../guest-files.ts';
import type { OperatingSystem } from './operating-system.ts';

/** A file by which a distribution is told that is older than os-release, most telling first. */
interface LegacyFile {
  readonly path: string;
  readonly distribution: string;
  /** What its first line has to be; the first group is the version. */
  readonly pattern: RegExp;
  /** What a version alone is to be called. */
  readonly product?: string;
}

const files: readonly LegacyFile[] = [
  { path: '/etc/oracle-release', distribution: 'ol', pattern: /release (\S+)/ },
  { path: '/etc/redhat-release', distribution: 'centos', pattern: /^CentOS.*release (\S+)/ },
  { path: '/etc/redhat-release', distribution: 'scientific', pattern: /^Scientific Linux.*release (\S+)/ },
  { path: '/etc/redhat-release', distribution: 'fedora', pattern: /^Fedora.*release (\S+)/ },
  { path: '/etc/redhat-release', distribution: 'rhel', pattern: /^Red Hat Enterprise Linux.*release (\S+)/ },
  { path: '/etc/redhat-release', distribution: 'redhat', pattern: /release (\S+)/ },
  { path: '/etc/SuSE-release', distribution: 'opensuse', pattern: /^openSUSE (\S+)/ },
  { path: '/etc/SuSE-release', distribution: 'sles', pattern: /^SUSE Linux Enterprise Server (\S+)/ },
  { path: '/etc/slackware-version', distribution: 'slackware', pattern: /^Slackware (\S+)/ },
  { path: '/etc/gentoo-release', distribution: 'gentoo', pattern: /release (\S+)/ },
  { path: '/etc/alpine-release', distribution: 'alpine', pattern: /^(\S+)/, product: 'Alpine Linux' },
  { path: '/etc/arch-release', distribution: 'arch', pattern: /^()/, product: 'Arch Linux' },
  { path: '/etc/debian_version', distribution: 'debian', pattern: /^(\S+)/, product: 'Debian GNU/Linux' },
];

/** Which Linux a guest is that has no os-release. */
export async function findLegacyRelease(tree: GuestTree, warn: Warn): Promise<OperatingSystem | undefined> {
  for (const file of files) {
    const found = await attempt(file.path, warn, undefined, () => readLegacy(tree, file));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function readLegacy(
  tree: GuestTree,
  { path, distribution, pattern, product }: LegacyFile,
): Promise<OperatingSystem | undefined> {
  const read = await readText(tree, path);
  const line = read?.text.split('\n', 1)[0]?.trim() ?? '';
  const match = read && pattern.exec(line);
  if (!match) return undefined;
  const source = { path: read.path, record: 'line 1' };
  const name = product === undefined ? line : `${product} ${line}`.trim();
  return {
    kind: { value: 'linux', source: { path: read.path } },
    distribution: { value: distribution, source },
    productName: { value: name, source },
    version: match[1] ? { value: match[1], source } : undefined,
  };
}

import type { Inspection } from '../inspection.ts';
import type { InstalledPackage, PackageFormat } from '../packages/installed-package.ts';

const types: Readonly<Record<PackageFormat, string>> = {
  deb: 'deb',
  rpm: 'rpm',
  apk: 'apk',
  pacman: 'alpm',
  windows: 'generic',
};

/**
 * The name by which databases of vulnerabilities know a package: `pkg:deb/debian/bash@5.2.15-2?arch=amd64&distro=debian-12`.
 *
 * Source: package-url, PURL-SPECIFICATION and PURL-TYPES.
 */
export function packageUrl(each: InstalledPackage, { distribution, version }: Inspection): string {
  const vendor = distribution?.value ?? each.format;
  // Only in deb's versions does the epoch stand.
  const ownVersion = each.format === 'rpm' ? [each.version, each.release].filter(Boolean).join('-') : each.fullVersion;
  const distro = [distribution?.value, version?.value].filter((part) => part !== undefined).join('-');
  const qualifiers = [
    ['arch', each.architecture],
    ['distro', distro],
    ['epoch', each.format === 'rpm' ? each.epoch : undefined],
    ['upstream', each.sourcePackage === each.name ? undefined : each.sourcePackage],
  ].filter(([, value]) => value !== undefined && value !== '');
  const query = qualifiers.map(([name, value]) => `${name}=${encode(String(value))}`).join('&');
  const path = `pkg:${types[each.format]}/${encode(vendor.toLowerCase())}/${encode(each.name)}@${encode(ownVersion)}`;
  return query === '' ? path : `${path}?${query}`;
}

/** Colons may stand as they are. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/%3A/g, ':')
    .replace(/[!'()*]/g, percentCode);
}

function percentCode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

import type { Inspection } from '../inspection.ts';
import type { InstalledPackage } from '../packages/installed-package.ts';
import { versionNumbers } from '../system/operating-system.ts';
import { osinfoOf } from './osinfo.ts';
import { element, formatXml, textElement, type XmlElement } from './xml.ts';

/** What virt-inspector calls distributions that os-release calls otherwise. */
const distributions: Readonly<Record<string, string>> = {
  alpine: 'alpinelinux',
  arch: 'archlinux',
  kali: 'kalilinux',
  ol: 'oraclelinux',
  'opensuse-leap': 'opensuse',
  'opensuse-tumbleweed': 'opensuse',
  redhat: 'redhat-based',
  scientific: 'scientificlinux',
  void: 'voidlinux',
};

/**
 * An inspection as XML for those who look for what virt-inspector writes: `//application[name="gcc"]/version`.
 *
 * Source: virt-inspector(1), XML format, and the schema that comes with it.
 */
export function virtInspectorXml(inspection: Inspection): string {
  return formatXml(element('operatingsystems', [inspection.kind && systemElement(inspection)]));
}

function systemElement(inspection: Inspection): XmlElement {
  const { architecture, distribution, hostname, kind, packageManagement, packages, productName, version } = inspection;
  const { major = 0, minor = 0 } = versionNumbers(version?.value);
  const { variant, windowsRoot } = inspection;
  const id = distribution?.value;
  return element('operatingsystem', [
    textElement('root', inspection.volumes.find(({ directory }) => directory === '/')?.name),
    textElement('name', kind?.value),
    textElement('arch', architecture?.value),
    textElement('distro', id === undefined ? undefined : (distributions[id] ?? id)),
    textElement('product_name', productName?.value),
    textElement('product_variant', variant?.value),
    textElement('major_version', major),
    textElement('minor_version', minor),
    textElement('windows_systemroot', windowsRoot?.value),
    textElement('package_format', packageManagement.format?.value),
    textElement('package_management', packageManagement.manager?.value),
    textElement('hostname', hostname?.value),
    textElement('osinfo', osinfoOf(inspection)),
    mountElements(inspection),
    fileSystemElements(inspection),
    element('applications', packages.map(applicationElement)),
  ]);
}

function mountElements({ volumes }: Inspection): XmlElement {
  const mounted = volumes.filter(({ directory }) => directory !== undefined);
  return element(
    'mountpoints',
    mounted.map(({ directory, name }) => element('mountpoint', directory!, { dev: name })),
  );
}

function fileSystemElements({ volumes }: Inspection): XmlElement {
  const known = volumes.filter(({ identity }) => identity !== undefined);
  return element(
    'filesystems',
    known.map(({ identity, name }) => {
      const { label, type, uuid } = identity!;
      const children = [textElement('type', type), textElement('label', label || undefined), textElement('uuid', uuid)];
      return element('filesystem', children, { dev: name });
    }),
  );
}

function applicationElement(each: InstalledPackage): XmlElement {
  return element('application', [
    textElement('name', each.name),
    textElement('display_name', each.displayName),
    textElement('epoch', each.epoch || undefined),
    textElement('version', each.version || undefined),
    textElement('release', each.release),
    textElement('arch', each.architecture),
    textElement('publisher', each.format === 'windows' ? each.vendor : undefined),
    textElement('url', each.url),
    textElement('source_package', each.sourcePackage),
    textElement('summary', each.summary),
    textElement('description', each.description),
  ]);
}

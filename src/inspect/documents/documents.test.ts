import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Inspection } from '../inspection.ts';
import type { InstalledPackage } from '../packages/installed-package.ts';
import { cycloneDxDocument } from './cyclonedx.ts';
import { inspectionJson } from './inspection-json.ts';
import { osinfoOf } from './osinfo.ts';
import { packageUrl } from './package-url.ts';
import { spdxDocument } from './spdx.ts';
import { virtInspectorXml } from './virt-inspector-xml.ts';

const source = { path: '/etc/os-release', record: 'line 1' };
const deb: InstalledPackage = {
  ...{ format: 'deb', name: 'g++', fullVersion: '4:12.2.0-3', epoch: 4, version: '12.2.0', release: '3' },
  ...{ architecture: 'amd64', state: 'installed', sourcePackage: 'gcc', size: 1024, url: 'javascript:alert(1)' },
  ...{ vendor: 'Debian <debian@example.org>', installed: 1_700_000_000, summary: 'C++ \x1b[31m' },
  source: { path: '/var/lib/dpkg/status', record: 'line 1' },
};
const rpm: InstalledPackage = {
  ...{ format: 'rpm', name: 'bash', fullVersion: '1:5.2-1.fc39', epoch: 1, version: '5.2', release: '1.fc39' },
  ...{ architecture: 'x86_64', state: 'installed', license: 'GPLv3+', url: 'https://example.org/', vendor: 'Fedora' },
  source: { path: '/var/lib/rpm/rpmdb.sqlite', record: 'header 1' },
};

function inspectionOf(distribution: string, version: string, packages: readonly InstalledPackage[]): Inspection {
  return {
    kind: { value: 'linux', source },
    distribution: { value: distribution, source },
    version: { value: version, source },
    packageManagement: {},
    ...{ volumes: [], kernels: [], bootloaders: [], users: [], services: [], timers: [], packages, warnings: [] },
    network: { interfaces: [], nameservers: [] },
  };
}

const origin = { name: 'web@3', time: 1_700_000_000_500, toolVersion: '1.2.3' };

for (const [each, distribution, version, expected] of [
  [deb, 'debian', '12', 'pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64&distro=debian-12&upstream=gcc'],
  [rpm, 'fedora', '39', 'pkg:rpm/fedora/bash@5.2-1.fc39?arch=x86_64&distro=fedora-39&epoch=1'],
  [
    { ...rpm, format: 'apk', name: 'a b', fullVersion: '1~2', epoch: undefined },
    'alpine',
    '3.18',
    'pkg:apk/alpine/a%20b@1~2?arch=x86_64&distro=alpine-3.18',
  ],
] as const) {
  test(`packageUrl: ${expected}`, () => {
    assert.equal(packageUrl(each, inspectionOf(distribution, version, [])), expected);
  });
}

for (const [distribution, version, expected] of [
  ['debian', '12.5', 'debian12'],
  ['fedora', '39', 'fedora39'],
  ['ubuntu', '22.04', 'ubuntu22.04'],
  ['rhel', '9.2', 'rhel9.2'],
  ['centos', '7.9.2009', 'centos7.9'],
  ['centos', '9', 'centos-stream9'],
  ['alpine', '3.18.4', 'alpinelinux3.18'],
  ['sles', '15.4', 'sles15sp4'],
  ['sles', '15', 'sles15'],
  ['arch', '', 'archlinux'],
  ['unheard-of', '1', undefined],
] as const) {
  test(`osinfoOf calls ${distribution} ${version} ${expected}`, () => {
    assert.equal(osinfoOf(inspectionOf(distribution, version, [])), expected);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: looks at whatever is there
const plain = (value: object): any => JSON.parse(JSON.stringify(value));

test('spdxDocument names what is unknown so, and points only to the web', () => {
  const document = plain(spdxDocument(inspectionOf('debian', '12', [deb, rpm]), origin));
  assert.deepEqual(document.creationInfo, { created: '2023-11-14T22:13:20Z', creators: ['Tool: varve-1.2.3'] });
  const [system, first, second] = document.packages;
  assert.equal(system.versionInfo, '12');
  assert.equal(first.SPDXID, 'SPDXRef-Package-1-g--');
  assert.deepEqual([first.homepage, second.homepage], [undefined, 'https://example.org/']);
  assert.equal(first.supplier, 'Organization: Debian (debian@example.org)');
  assert.deepEqual([second.licenseDeclared, second.licenseComments], ['NOASSERTION', 'The package says: GPLv3+']);
  assert.equal(document.relationships.length, 3);
  const ids = document.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
  for (const { relatedSpdxElement } of document.relationships) assert.ok(ids.includes(relatedSpdxElement));
});

test('cycloneDxDocument gives each component a reference of its own', () => {
  const document = plain(cycloneDxDocument(inspectionOf('debian', '12', [rpm, rpm]), origin));
  const references = document.components.map((each: Record<string, unknown>) => each['bom-ref']);
  assert.equal(new Set(references).size, 2);
  assert.deepEqual(document.components[0].licenses, [{ license: { name: 'GPLv3+' } }]);
  assert.match(document.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('virtInspectorXml has the elements of an operating system and its applications in the order of the schema', () => {
  const xml = virtInspectorXml(inspectionOf('opensuse-leap', '15.5', [deb]));
  const elements = [...xml.matchAll(/<([a-z_]+)/g)].map(([, name]) => name);
  assert.deepEqual(elements, [
    ...['operatingsystems', 'operatingsystem', 'name', 'distro', 'major_version', 'minor_version', 'osinfo'],
    ...['mountpoints', 'filesystems', 'applications', 'application'],
    ...['name', 'epoch', 'version', 'release', 'arch', 'url', 'source_package', 'summary'],
  ]);
  assert.match(xml, /<distro>opensuse<\/distro>/);
  assert.ok(!xml.includes('\x1b'));
});

test('virtInspectorXml of what is no system has none', () => {
  const { kind: _, ...rest } = inspectionOf('x', '1', []);
  assert.equal(virtInspectorXml(rest), '<?xml version="1.0"?>\n<operatingsystems/>');
});

test('inspectionJson has times as dates, and leaves out those that no calendar has', () => {
  const packages = [deb, { ...deb, installed: Number.MAX_SAFE_INTEGER }];
  const [first, second] = plain(inspectionJson(inspectionOf('debian', '12', packages))).packages;
  assert.deepEqual([first.installed, second.installed], ['2023-11-14T22:13:20.000Z', undefined]);
});

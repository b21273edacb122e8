import type { GuestTree } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';
import { attempt } from '../attempt.ts';
import { type Fact, noWarnings, type Warn } from '../fact.ts';
import type { Inspection } from '../inspection.ts';
import type { InstalledPackage } from '../packages/installed-package.ts';
import type { Service } from '../services/service.ts';
import type { OperatingSystem } from '../system/operating-system.ts';
import { currentControlSet } from './control-set.ts';
import { openHive, type RegistryHive } from './registry-hive.ts';
import { numberValue, type RegistryValue, textValue } from './registry-value.ts';
import { windowsPrograms } from './windows-programs.ts';
import { windowsServices } from './windows-services.ts';

/** Where Windows may be. */
const roots = ['/Windows', '/WINNT'];

/** What is known of a Windows from its registry and programs. */
export interface WindowsFacts
  extends OperatingSystem,
    Partial<Pick<Inspection, 'architecture' | 'hostname' | 'timezone'>> {
  readonly services: readonly Service[];
  readonly packages: readonly InstalledPackage[];
}

/** Which Windows a guest is; undefined where it is none. Changes that are only in the registry's logs are not seen. */
export async function windowsFacts(tree: GuestTree, warn: Warn = noWarnings): Promise<WindowsFacts | undefined> {
  for (const root of roots) {
    const directory = await attempt(root, warn, undefined, () => tree.find(`${root}/System32/config`));
    if (directory?.kind === 'directory') return await factsOf(tree, root, warn);
  }
  return undefined;
}

async function factsOf(tree: GuestTree, root: string, warn: Warn): Promise<WindowsFacts> {
  const software = await hiveAt(tree, `${root}/System32/config/SOFTWARE`, warn);
  const system = await hiveAt(tree, `${root}/System32/config/SYSTEM`, warn);
  const source = { path: root };
  return {
    ...{ kind: { value: 'windows', source }, distribution: { value: 'windows', source } },
    windowsRoot: { value: root, source },
    ...(software && (await attempt(software.path, warn, {}, () => versionOf(software)))),
    ...(system && (await attempt(system.path, warn, {}, () => settingsOf(system)))),
    architecture: await architectureOf(tree, root, warn),
    services: system === undefined ? [] : await attempt(system.path, warn, [], () => windowsServices(system)),
    packages: software === undefined ? [] : await attempt(software.path, warn, [], () => windowsPrograms(software)),
  };
}

async function hiveAt(tree: GuestTree, path: string, warn: Warn): Promise<RegistryHive | undefined> {
  const hive = await attempt(path, warn, undefined, async () => {
    const file = await tree.find(path);
    return file?.kind === 'file' ? await openHive(file) : undefined;
  });
  if (hive?.isWhole === false) {
    warn({ path, message: `${path} has changes in its logs that are not read: Windows was not shut down` });
  }
  return hive;
}

const versionKey = 'Microsoft\\Windows NT\\CurrentVersion';
const firstBuildOfEleven = 22000;

async function versionOf(hive: RegistryHive): Promise<Partial<OperatingSystem>> {
  const key = await hive.find(versionKey);
  if (key === undefined) return {};
  const values = await hive.values(key);
  const fact = factFrom(hive, versionKey);
  const build = textValue(values.get('currentbuildnumber')) ?? textValue(values.get('currentbuild'));
  const major = numberValue(values.get('currentmajorversionnumber'));
  const minor = numberValue(values.get('currentminorversionnumber'));
  const numbers = major === undefined ? textValue(values.get('currentversion')) : `${major}.${minor ?? 0}`;
  const name = textValue(values.get('productname'));
  // Windows 11 still calls itself Windows 10 here.
  const isEleven = Number(build) >= firstBuildOfEleven && textValue(values.get('installationtype')) === 'Client';
  return {
    productName: fact(isEleven ? name?.replace(/^Windows 10\b/, 'Windows 11') : name),
    version: fact(numbers === undefined ? undefined : [numbers, build].filter(Boolean).join('.')),
    codename: fact(textValue(values.get('displayversion')) ?? textValue(values.get('releaseid'))),
    variant: fact(textValue(values.get('installationtype'))),
  };
}

async function settingsOf(hive: RegistryHive): Promise<Pick<WindowsFacts, 'hostname' | 'timezone'>> {
  const controls = await currentControlSet(hive);
  const read = async (path: string, ...names: string[]): Promise<Fact<string> | undefined> => {
    const key = await hive.find(`${controls}\\${path}`);
    const values = key === undefined ? new Map<string, RegistryValue>() : await hive.values(key);
    const value = names.map((name) => textValue(values.get(name))).find((each) => each !== undefined);
    return factFrom(hive, `${controls}\\${path}`)(value);
  };
  return {
    hostname:
      (await read('Services\\Tcpip\\Parameters', 'hostname', 'nv hostname')) ??
      (await read('Control\\ComputerName\\ComputerName', 'computername')),
    timezone: await read('Control\\TimeZoneInformation', 'timezonekeyname', 'standardname'),
  };
}

function factFrom(hive: RegistryHive, key: string): (value: string | undefined) => Fact<string> | undefined {
  return (value) => (value === undefined ? undefined : { value, source: { path: hive.path, record: key } });
}

/** Source: Microsoft, PE format: "PE\0\0" where the number at 0x3c says, then the machine. */
async function architectureOf(tree: GuestTree, root: string, warn: Warn): Promise<Fact<string> | undefined> {
  const path = `${root}/System32/cmd.exe`;
  return await attempt(path, warn, undefined, async () => {
    const file = await tree.find(path);
    if (file?.kind !== 'file') return undefined;
    const bytes = await readPart(file, 0, 4096);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = bytes.length < 0x40 ? bytes.length : view.getUint32(0x3c, true);
    if (at + 6 > bytes.length || view.getUint32(at) !== 0x50450000) return undefined;
    const value = machines[view.getUint16(at + 4, true)];
    return value === undefined ? undefined : { value, source: { path: file.path } };
  });
}

const machines: Readonly<Record<number, string>> = { 332: 'i386', 452: 'arm', 34404: 'x86_64', 43620: 'aarch64' };

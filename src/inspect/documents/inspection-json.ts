import type { MountedVolume } from '../../guest/open-guest.ts';
import type { Fact, FactSource } from '../fact.ts';
import type { Inspection } from '../inspection.ts';
import { versionNumbers } from '../system/operating-system.ts';

/** What `inspectionJson` is asked for. */
export interface InspectionJsonOptions {
  /** Whether each fact says which file it stands in. */
  readonly sources?: boolean | undefined;
}

/** An inspection for programs: plain values, sizes in bytes, times in ISO 8601. With `sources` there is where each stands. */
export function inspectionJson(inspection: Inspection, { sources = false }: InspectionJsonOptions = {}): object {
  const facts = factsOf(inspection);
  const known = Object.entries(facts).flatMap(([name, fact]) => (fact === undefined ? [] : [[name, fact] as const]));
  const own = <Item extends { readonly source: FactSource }>(items: readonly Item[]) =>
    sources ? items : items.map(({ source: _, ...rest }) => rest);
  const { interfaces, nameservers } = inspection.network;
  const { major: majorVersion, minor: minorVersion } = versionNumbers(inspection.version?.value);
  return {
    ...Object.fromEntries(known.map(([name, { value }]) => [name, value])),
    ...{ majorVersion, minorVersion },
    fileSystems: inspection.volumes.map(volumeJson),
    kernels: own(inspection.kernels),
    bootloaders: own(inspection.bootloaders),
    users: own(inspection.users),
    services: own(inspection.services),
    timers: own(inspection.timers),
    network: {
      interfaces: own(interfaces),
      nameservers: sources ? nameservers : nameservers.map(({ value }) => value),
    },
    packages: own(inspection.packages).map((each) => ({
      ...each,
      installed: each.installed === undefined ? undefined : timeText(each.installed),
    })),
    warnings: inspection.warnings,
    ...(sources && { sources: Object.fromEntries(known.map(([name, { source }]) => [name, source])) }),
  };
}

/** The facts of which there is one, by what they are called in JSON. */
function factsOf(inspection: Inspection): Readonly<Record<string, Fact<string> | undefined>> {
  const { kind, distribution, distributionLike, productName, version, codename, variant, windowsRoot } = inspection;
  const { architecture, hostname, machineId, timezone, locale, packageManagement } = inspection;
  return {
    ...{ name: kind, distribution, distributionLike, productName, version, codename, variant, windowsRoot },
    ...{ architecture, hostname, machineId, timezone, locale },
    ...{ packageFormat: packageManagement.format, packageManager: packageManagement.manager },
  };
}

function volumeJson({ directory, identity, length, name }: MountedVolume): object {
  const { label, type, uuid, version } = identity ?? {};
  return { name, size: length, type, version, label, uuid, mountedOn: directory };
}

/** Undefined for what is no time that a calendar has. */
function timeText(seconds: number): string | undefined {
  return Math.abs(seconds) > 8.64e12 ? undefined : new Date(seconds * 1000).toISOString();
}

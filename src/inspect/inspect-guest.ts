import type { GuestTree } from '../guest/guest-tree.ts';
import type { Guest } from '../guest/open-guest.ts';
import type { InspectionWarning, Warn } from './fact.ts';
import type { Inspection } from './inspection.ts';
import { networkOf } from './network/network.ts';
import { installedPackages } from './packages/installed-packages.ts';
import { enabledServices } from './services/enabled-services.ts';
import { systemdUnits } from './services/systemd-units.ts';
import { timersOf } from './services/timers.ts';
import { architectureOf } from './system/architecture.ts';
import { bootloadersOf } from './system/bootloaders.ts';
import { kernelsOf } from './system/kernels.ts';
import { linuxSystem } from './system/operating-system.ts';
import { packageManagementOf } from './system/package-manager.ts';
import { hostnameOf, localeOf, machineIdOf, timezoneOf } from './system/settings.ts';
import { usersOf } from './system/users.ts';

/** More are told of by their number. */
const mostWarnings = 1000;

/**
 * What is known of a guest from its files. Nothing of it is run, and what of it cannot be read costs only the facts that stand
 * there: it is in `warnings`.
 */
export async function inspectGuest({ tree, volumes }: Pick<Guest, 'tree' | 'volumes'>): Promise<Inspection> {
  const warnings: InspectionWarning[] = [];
  const warn = (warning: InspectionWarning) => {
    const isKnown = warnings.length >= mostWarnings || warnings.some(({ message }) => message === warning.message);
    if (!isKnown) warnings.push(warning);
  };
  const linux = await linuxSystem(tree, warn);
  const units = systemdUnits(tree, warn);
  return {
    ...linux,
    architecture: await architectureOf(tree, warn),
    hostname: await hostnameOf(tree, warn),
    machineId: await machineIdOf(tree, warn),
    timezone: await timezoneOf(tree, warn),
    locale: await localeOf(tree, warn),
    packageManagement: await packageManagementOf(tree, warn),
    volumes,
    kernels: await kernelsOf(tree, warn),
    bootloaders: await bootloadersOf(tree, warn),
    users: await usersOf(tree, warn),
    services: await enabledServices(tree, warn, units),
    timers: await timersOf(tree, warn, units),
    network: await networkOf(tree, warn),
    packages: await installedPackages(tree, warn),
    ...(linux === undefined && (await windowsIn(tree, warn))),
    warnings,
  };
}

/** Loads what only guests with Windows need. */
async function windowsIn(tree: GuestTree, warn: Warn): Promise<Partial<Inspection> | undefined> {
  const { windowsFacts } = await import('./windows/windows-system.ts');
  return await windowsFacts(tree, warn);
}

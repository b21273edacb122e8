import type { GuestTree } from '../../guest/guest-tree.ts';
import { noWarnings, type Warn } from '../fact.ts';
import { openRcServices } from './openrc.ts';
import { presetsOf } from './presets.ts';
import { mostServices, type Service } from './service.ts';
import { linkedUnits, readUnit } from './systemd-units.ts';
import { sysvServices } from './sysvinit.ts';

/**
 * What starts by itself on a guest: units of systemd that its administrator or a package enabled (those that a distribution
 * starts for good are not listed), scripts in the directories of run levels, services of OpenRC.
 */
export async function enabledServices(tree: GuestTree, warn: Warn = noWarnings): Promise<Service[]> {
  const units = await systemdServices(tree, warn);
  const known = new Set(units.map(({ name }) => name.replace(/\.service$/, '')));
  // A script of which there is a unit, too, is not used.
  const scripts = (await sysvServices(tree, warn)).filter(({ name }) => !known.has(name));
  return [...units, ...scripts, ...(await openRcServices(tree, warn))];
}

async function systemdServices(tree: GuestTree, warn: Warn): Promise<Service[]> {
  const presets = await presetsOf(tree, warn);
  const services: Service[] = [];
  for (const { name, path, links } of await linkedUnits(tree, warn)) {
    const enabling = links.filter(({ isEnabled }) => isEnabled);
    if (enabling.length === 0 || services.length === mostServices) continue;
    const unit = await readUnit(tree, path, warn);
    services.push({
      ...{ name, manager: 'systemd', description: unit.get('Unit')?.get('Description')?.at(-1) },
      enabledBy: [...new Set(enabling.map(({ by }) => by))].sort(),
      preset: presets(name),
      source: { path: enabling[0]!.path },
    });
  }
  return services;
}

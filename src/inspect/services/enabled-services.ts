import type { GuestTree } from '../../guest/guest-tree.ts';
import { noWarnings, type Warn } from '../fact.ts';
import { beginFact } from '../guest-files.ts';
import { openRcServices } from './openrc.ts';
import { presetsOf } from './presets.ts';
import { mostServices, type Service } from './service.ts';
import { readUnit, type SystemdUnits, systemdUnits } from './systemd-units.ts';
import { sysvServices } from './sysvinit.ts';

/**
 * What starts by itself on a guest: units of systemd that its administrator or a package enabled (those that a distribution
 * starts for good are not listed), scripts in the directories of run levels, services of OpenRC. Whoever has the guest's
 * `units` already hands them in.
 */
export async function enabledServices(
  tree: GuestTree,
  warn: Warn = noWarnings,
  units: Promise<SystemdUnits> = systemdUnits(tree, warn),
): Promise<Service[]> {
  beginFact(tree);
  const { isThere, names } = await units;
  // systemd runs a script only where there is no unit of its name.
  const isReplaced = ({ name }: Service) => isThere && names.has(`${name.replace(/\.sh$/, '')}.service`);
  const scripts = (await sysvServices(tree, warn)).filter((each) => !isReplaced(each));
  return [...(await unitServices(tree, await units, warn)), ...scripts, ...(await openRcServices(tree, warn))];
}

async function unitServices(tree: GuestTree, { linked }: SystemdUnits, warn: Warn): Promise<Service[]> {
  const presets = await presetsOf(tree, warn);
  const services: Service[] = [];
  for (const { name, file, links } of linked) {
    const enabling = links.filter(({ isEnabled }) => isEnabled);
    if (enabling.length === 0 || services.length === mostServices) continue;
    const unit = await readUnit(tree, file, warn);
    services.push({
      ...{ name, manager: 'systemd', description: unit.get('Unit')?.get('Description')?.at(-1) },
      enabledBy: [...new Set(enabling.map(({ by }) => by))].sort(),
      preset: presets(name),
      source: { path: enabling[0]!.path },
    });
  }
  return services;
}

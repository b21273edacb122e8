import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { FactSource, Warn } from '../fact.ts';
import { entriesOf, readText } from '../guest-files.ts';
import { mostServices, type Service } from './service.ts';

const usual = '2345';

/**
 * What the directories of run levels start (`S20ssh` in rc2.d): that of the level that inittab names, and of the start, `S`.
 * Without inittab it is each that a system may run in.
 *
 * Source: init(8), inittab(5), insserv(8).
 */
export async function sysvServices(tree: GuestTree, warn: Warn): Promise<Service[]> {
  const levels = await defaultLevels(tree, warn);
  const found = new Map<string, { readonly enabledBy: string[]; readonly source: FactSource }>();
  for (const level of ['S', ...levels]) {
    for (const directory of [`/etc/rc${level}.d`, `/etc/rc.d/rc${level}.d`]) {
      for (const { name, path } of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
        const service = /^S\d\d(.+)$/.exec(name)?.[1];
        if (service === undefined || found.size === mostServices) continue;
        const known = found.get(service) ?? { enabledBy: [], source: { path } };
        if (!known.enabledBy.includes(level)) known.enabledBy.push(level);
        found.set(service, known);
      }
    }
  }
  const services = [...found].map(([name, { enabledBy, source }]): Service => {
    return { name, manager: 'sysvinit', enabledBy, source };
  });
  return services.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function defaultLevels(tree: GuestTree, warn: Warn): Promise<readonly string[]> {
  const path = '/etc/inittab';
  const read = await attempt(path, warn, undefined, () => readText(tree, path));
  const lines = (read?.text ?? '').split('\n').map((line) => line.split(':', 3));
  const found = lines.find(([id = '#', level = '', action]) => {
    return !id.startsWith('#') && /^[0-6]$/.test(level) && action === 'initdefault';
  });
  return [...(found?.[1] ?? usual)];
}

import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { FactSource, Warn } from '../fact.ts';
import { entriesOf } from '../guest-files.ts';
import { mostServices, type Service } from './service.ts';

const directory = '/etc/runlevels';
/** Those that are gone through when a system starts, and any that a user has added; not the one for its end. */
const ending = 'shutdown';

/** The services in OpenRC's run levels. Source: OpenRC, rc-update(8). */
export async function openRcServices(tree: GuestTree, warn: Warn): Promise<Service[]> {
  const found = new Map<string, { readonly enabledBy: string[]; readonly source: FactSource }>();
  for (const level of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
    if (level.name === ending) continue;
    for (const { name, path } of await attempt(level.path, warn, [], () => entriesOf(tree, level.path))) {
      if (found.size === mostServices) break;
      const known = found.get(name) ?? { enabledBy: [], source: { path } };
      known.enabledBy.push(level.name);
      found.set(name, known);
    }
  }
  const services = [...found].map(([name, { enabledBy, source }]): Service => {
    return { name, manager: 'OpenRC', enabledBy, source };
  });
  return services.sort((a, b) => (a.name < b.name ? -1 : 1));
}

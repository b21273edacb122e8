import { mostServices, type Service } from '../services/service.ts';
import { currentControlSet } from './control-set.ts';
import type { RegistryHive } from './registry-hive.ts';
import { numberValue, textValue } from './registry-value.ts';

const automatic = 2;
/** A process of its own, or one that is shared; the rest are drivers. */
const processes = 0x30;

/** The services that start with Windows. */
export async function windowsServices(hive: RegistryHive): Promise<Service[]> {
  const path = `${await currentControlSet(hive)}\\Services`;
  const key = await hive.find(path);
  const services: Service[] = [];
  if (key === undefined) return services;
  for await (const each of hive.subkeys(key)) {
    if (services.length === mostServices) break;
    const values = await hive.values(each);
    const isProcess = ((numberValue(values.get('type')) ?? 0) & processes) !== 0;
    if (!isProcess || numberValue(values.get('start')) !== automatic) continue;
    const description = textValue(values.get('displayname'));
    services.push({
      ...{ name: each.name, manager: 'Windows', enabledBy: ['automatic'] },
      // Names may stand in some library of Windows: @%SystemRoot%\system32\x.dll,-100.
      description: description?.startsWith('@') ? undefined : description,
      source: { path: hive.path, record: `${path}\\${each.name}` },
    });
  }
  return services.sort((a, b) => (a.name < b.name ? -1 : 1));
}

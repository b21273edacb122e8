import type { RegistryHive } from './registry-hive.ts';
import { numberValue } from './registry-value.ts';

/** The set of settings that Windows uses: `ControlSet001`. */
export async function currentControlSet(hive: RegistryHive): Promise<string> {
  const select = await hive.find('Select');
  const current = select === undefined ? undefined : numberValue((await hive.values(select)).get('current'));
  return `ControlSet${String(current ?? 1).padStart(3, '0')}`;
}

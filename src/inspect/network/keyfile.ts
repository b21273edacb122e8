import { parseUnitFile } from '../services/unit-file.ts';
import type { InterfaceSettings } from './interface-settings.ts';

/** A connection of NetworkManager: `address1=192.0.2.2/24,192.0.2.1`. Source: nm-settings-keyfile(5). */
export function parseKeyfile(text: string): InterfaceSettings[] {
  const sections = parseUnitFile(text);
  const last = (section: string, name: string) => sections.get(section)?.get(name)?.at(-1);
  const addresses: string[] = [];
  const gateways: string[] = [];
  let usesDhcp = false;
  for (const family of ['ipv4', 'ipv6']) {
    usesDhcp ||= last(family, 'method') === 'auto' || last(family, 'method') === 'dhcp';
    const gateway = last(family, 'gateway');
    if (gateway !== undefined) gateways.push(gateway);
    for (const [name, values] of sections.get(family) ?? []) {
      if (!/^address(?:es)?\d+$/.test(name)) continue;
      const [address, router] = values.at(-1)?.split(',') ?? [];
      if (address) addresses.push(address.trim());
      if (router) gateways.push(router.trim());
    }
  }
  const name = last('connection', 'interface-name') ?? last('connection', 'id') ?? '*';
  return [{ name, usesDhcp, addresses, gateways }];
}

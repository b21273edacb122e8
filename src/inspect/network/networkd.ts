import { parseUnitFile } from '../services/unit-file.ts';
import type { InterfaceSettings } from './interface-settings.ts';

/** A `.network` of systemd-networkd. Source: systemd.network(5). */
export function parseNetworkdFile(text: string): InterfaceSettings[] {
  const sections = parseUnitFile(text);
  const all = (section: string, name: string) => sections.get(section)?.get(name) ?? [];
  const name = [...all('Match', 'Name'), ...all('Match', 'MACAddress'), ...all('Match', 'Type')].at(0) ?? '*';
  const dhcp = all('Network', 'DHCP').at(-1)?.toLowerCase() ?? 'no';
  return [
    {
      name,
      usesDhcp: !['no', 'false', '0', 'off', 'none'].includes(dhcp),
      addresses: [...all('Network', 'Address'), ...all('Address', 'Address')],
      gateways: [...all('Network', 'Gateway'), ...all('Route', 'Gateway')],
    },
  ];
}

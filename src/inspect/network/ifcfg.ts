import { parseAssignments } from '../assignments.ts';
import type { InterfaceSettings } from './interface-settings.ts';
import { withPrefix } from './prefix-length.ts';

/** An `ifcfg-eth0` of Red Hat or SUSE. Source: Red Hat's sysconfig.txt, ifcfg(5). */
export function parseIfcfg(text: string): InterfaceSettings[] {
  const assignments = parseAssignments(text);
  const value = (name: string) => assignments.get(name)?.value || undefined;
  const addresses: string[] = [];
  for (const [name, { value: address }] of assignments) {
    const suffix = /^IPADDR(_?\w*)$/.exec(name)?.[1];
    if (suffix === undefined || address === '') continue;
    addresses.push(
      withPrefix(address, value(`PREFIX${suffix}`) ?? value(`PREFIXLEN${suffix}`) ?? value(`NETMASK${suffix}`)),
    );
  }
  const ipv6 = value('IPV6ADDR');
  const gateways = [...assignments].filter(([name]) => /^GATEWAY\d*$|^IPV6_DEFAULTGW$/.test(name));
  return [
    {
      name: value('DEVICE') ?? value('NAME') ?? value('HWADDR') ?? '*',
      usesDhcp: /^dhcp/i.test(value('BOOTPROTO') ?? ''),
      addresses: ipv6 === undefined ? addresses : [...addresses, ipv6],
      gateways: gateways.map(([, each]) => each.value).filter((each) => each !== ''),
    },
  ];
}

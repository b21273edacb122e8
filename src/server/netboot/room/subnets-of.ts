import type { Ipv4 } from '../../../protocol/dhcp/ipv4.ts';
import type { Subnet } from '../../../protocol/dhcp/subnet.ts';
import { countOf, defaultLeaseSeconds, requireInside } from './read-networks.ts';
import type { AddressRange, NetworkSettings, Room } from './room.ts';
import { hostsOf, isOfNetwork, maskOf } from './values.ts';

/** The address that an interface has. */
export interface OwnAddress {
  readonly address: Ipv4;
  /** How many bits of it are the network's. */
  readonly prefix: number;
}

/** More than that no room has; they are what a pool of addresses keeps in mind. */
const mostAddresses = 1 << 16;

/**
 * The networks in which a room gives out addresses, for one of its interfaces. Where the room names none, it is the
 * interface's own. Our own address is never given out, and is the name server's where nobody says who that is.
 *
 * @throws VarveError `INVALID` where the room's ranges are not of the interface's network
 */
export function subnetsOf(room: Room, own: OwnAddress): Subnet[] {
  const networks = room.networks.length > 0 ? room.networks : [ownNetwork(room, own)];
  return networks.map((network) => ({
    network: network.network,
    mask: maskOf(network.prefix),
    ranges: without(own.address, rangesOf(network)),
    fixed: fixedIn(room, network),
    reserve: network.reserve,
    leaseSeconds: network.leaseSeconds,
    routers: network.routers,
    nameServers: [network.nameServers, network.routers, [own.address]].find((each) => each.length > 0)!,
    domain: network.domain,
  }));
}

function ownNetwork({ ranges }: Room, { address, prefix }: OwnAddress): NetworkSettings {
  const network = { network: (address & maskOf(prefix)) >>> 0, prefix };
  for (const range of ranges) requireInside(range, network);
  return {
    ...{ ...network, ranges, routers: [], nameServers: [], domain: undefined },
    ...{ leaseSeconds: defaultLeaseSeconds, reserve: 0 },
  };
}

function rangesOf({ network, prefix, ranges }: NetworkSettings): readonly AddressRange[] {
  if (ranges.length > 0) return ranges;
  const [first, last] = hostsOf({ network, prefix });
  return countOf([[first, last]]) <= mostAddresses ? [[first, last]] : [[last - mostAddresses + 1, last]];
}

function without(address: Ipv4, ranges: readonly AddressRange[]): AddressRange[] {
  return ranges.flatMap(([first, last]): AddressRange[] => {
    if (address < first || address > last) return [[first, last]];
    const parts: AddressRange[] = [
      [first, address - 1],
      [address + 1, last],
    ];
    return parts.filter(([from, to]) => from <= to);
  });
}

function fixedIn({ machines }: Room, network: NetworkSettings): ReadonlyMap<string, Ipv4> {
  const fixed = new Map<string, Ipv4>();
  for (const { address, mac } of machines) {
    if (address !== undefined && mac !== undefined && isOfNetwork(address, network)) fixed.set(mac, address);
  }
  return fixed;
}

import { VarveError } from '../../../base/varve-error.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../../protocol/dhcp/ipv4.ts';
import { anything, fieldsOf, listOf, type Reader, textBy } from './fields.ts';
import type { Problems } from './problems.ts';
import type { AddressRange, NetworkSettings } from './room.ts';
import type { RoomNode } from './room-node.ts';
import {
  hostsOf,
  isOfNetwork,
  type NetworkAddress,
  parseAddressRange,
  parseNetwork,
  parsePlainName,
  parseSeconds,
  parseWhole,
} from './values.ts';

const networkShape = {
  network: textBy(parseNetwork),
  range: anything,
  routers: anything,
  nameServers: listOf(textBy(parseIpv4)),
  domain: textBy(parseDomain),
  leaseTime: textBy((text) => parseSeconds(text, 60, 10 * 365 * 86_400)),
  reserve: anything,
};

/** What is taken where a room says nothing of it. */
export const defaultLeaseSeconds = 12 * 3600;

/** Networks in which machines get addresses; none of them twice. */
export function readNetworks(node: RoomNode | undefined, problems: Problems): NetworkSettings[] {
  if (node === undefined) return [];
  const networks: NetworkSettings[] = [];
  for (const each of node.kind === 'list' ? node.items : [node]) {
    const network = readNetwork(each, problems);
    if (network === undefined) continue;
    const other = networks.find((known) => isOfNetwork(network.network, known) || isOfNetwork(known.network, network));
    if (other === undefined) networks.push(network);
    else problems.add(each, `is a network that overlaps with ${nameOf(other)}`);
  }
  return networks;
}

function readNetwork(node: RoomNode, problems: Problems): NetworkSettings | undefined {
  const found = fieldsOf(node, networkShape, problems);
  const { domain, leaseTime = defaultLeaseSeconds, nameServers = [], network } = found;
  if (network === undefined) {
    if (node.kind === 'map' && !node.fields.has('network')) problems.add(node, 'has no network, as in 10.9.0.0/24');
    return undefined;
  }
  const ranges = readRanges(found.range, network, problems);
  const size = countOf(ranges.length === 0 ? [hostsOf(network)] : ranges);
  return {
    ...{ ...network, ranges, nameServers, domain, leaseSeconds: leaseTime },
    routers: (found.routers && listOf(addressIn(network))(found.routers, problems)) ?? [],
    reserve: (found.reserve && textBy((text) => parseWhole(text, size))(found.reserve, problems)) ?? 0,
  };
}

/** Ranges that lie in their network, where that is known, and not over each other; in order. */
export function readRanges(
  node: RoomNode | undefined,
  network: NetworkAddress | undefined,
  problems: Problems,
): readonly AddressRange[] {
  const known: AddressRange[] = [];
  const reader = textBy((text) => {
    const range = parseAddressRange(text);
    if (network !== undefined) requireInside(range, network);
    if (known.some(([first, last]) => range[0] <= last && first <= range[1])) {
      throw new VarveError('INVALID', `${text} overlaps with another range`);
    }
    known.push(range);
    return range;
  });
  return node === undefined ? [] : listOf(reader)(node, problems)!.toSorted((a, b) => a[0] - b[0]);
}

/** @throws VarveError `INVALID` for addresses that no machine of the network can have */
export function requireInside(range: AddressRange, network: NetworkAddress): void {
  const [first, last] = hostsOf(network);
  if (range[0] >= first && range[1] <= last) return;
  const limits = `machines of ${nameOf(network)} have ${formatIpv4(first)}-${formatIpv4(last)}`;
  throw new VarveError('INVALID', `${range.map(formatIpv4).join('-')} is not inside its network: ${limits}`);
}

function addressIn(network: NetworkAddress): Reader<Ipv4> {
  return textBy((text) => {
    const address = parseIpv4(text);
    if (isOfNetwork(address, network)) return address;
    throw new VarveError('INVALID', `${text} is not of the network ${nameOf(network)}`);
  });
}

/** How many addresses there are. */
export function countOf(ranges: readonly AddressRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function parseDomain(text: string): string {
  return text.split('.').map(parsePlainName).join('.').toLowerCase();
}

function nameOf({ network, prefix }: NetworkAddress): string {
  return `${formatIpv4(network)}/${prefix}`;
}

import { type Ipv4, isSameNetwork } from './ipv4.ts';

/** A network in which addresses are given out. */
export interface Subnet {
  /** Any address of it. */
  readonly network: Ipv4;
  readonly mask: Ipv4;
  /** First and last address that is given out. */
  readonly ranges: readonly (readonly [first: Ipv4, last: Ipv4])[];
  /** Of single machines, by the hardware address in small letters or by the identity of `DhcpClient`. */
  readonly fixed: ReadonlyMap<string, Ipv4>;
  /** How many addresses only machines get that are known. */
  readonly reserve: number;
  readonly leaseSeconds: number;
  readonly routers: readonly Ipv4[];
  /** Never empty: installers stop without one. */
  readonly nameServers: readonly Ipv4[];
  readonly domain?: string | undefined;
}

/** The network that a packet came from: the relay's where one passed it on, else the one of our own address. */
export function subnetOf(subnets: readonly Subnet[], address: Ipv4): Subnet | undefined {
  return subnets.find(({ network, mask }) => isSameNetwork(network, address, mask));
}

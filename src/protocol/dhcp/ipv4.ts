import { VarveError } from '../../base/varve-error.ts';

/** An address as a number below 2^32: `10.0.0.1` is 167,772,161. */
export type Ipv4 = number;

/** @throws VarveError `INVALID` for a text that is no address */
export function parseIpv4(text: string): Ipv4 {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) {
    throw new VarveError('INVALID', `${JSON.stringify(text)} is no IPv4 address`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatIpv4(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** Whether both are in one network of that mask. */
export function isSameNetwork(one: Ipv4, other: Ipv4, mask: Ipv4): boolean {
  return (one & mask) === (other & mask);
}

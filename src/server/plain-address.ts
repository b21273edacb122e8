/** A client's address; of one that speaks IPv4 to a socket for IPv6, the former. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d)/, '');
}

import { VarveError } from '../../base/varve-error.ts';

/** What is known of who has which address. */
export interface KnownAddresses {
  /** The MAC address that a host of our own network has. */
  neighbour(address: string): Promise<string | undefined>;
  /** The address that DHCP of ours gave to a machine. */
  leased(mac: string): string | undefined;
}

/** Whose it was that asked for another machine's. */
export class StrangerError extends VarveError {
  /** Undefined behind a relay. */
  readonly mac: string | undefined;
  readonly address: string;

  constructor(owner: string, address: string, mac: string | undefined) {
    const who = mac === undefined ? address : `${address} (${mac})`;
    super('PERMISSION', `${who} asks for what is ${owner}'s; a machine is given only what is its own`);
    this.address = address;
    this.mac = mac;
  }
}

/**
 * Refuses to a host what is for another machine alone. Who is a neighbour is known by that; behind a relay, by the address
 * that the machine was given. Who is not known passes.
 *
 * @param owner `52:54:00:12:34:56`
 * @param address of who asks
 * @throws StrangerError
 */
export async function requireOwn(owner: string, address: string, known: KnownAddresses): Promise<void> {
  const neighbour = await known.neighbour(address);
  const isOwn = neighbour === undefined ? (known.leased(owner) ?? address) === address : neighbour === owner;
  if (!isOwn) throw new StrangerError(owner, address, neighbour);
}

import type { AddressPool, Applicant, Lease } from './address-pool.ts';
import { type BootPlan, bootOptions } from './boot-options.ts';
import { clientOf, type DhcpClient } from './client.ts';
import type { Ipv4 } from './ipv4.ts';
import { encodeValue, numberOf, type Options } from './option-codec.ts';
import { messageTypes, optionCodes } from './option-codes.ts';
import type { DhcpPacket } from './packet-codec.ts';
import { type Destination, destinationOf, makeReply } from './reply.ts';
import type { Subnet } from './subnet.ts';

/** What a server knows when a packet comes. */
export interface DhcpContext {
  /** Our own address on the interface that the packet came by. */
  readonly server: Ipv4;
  readonly nowMs: number;
  readonly pools: readonly AddressPool[];
  /** Whether this machine may have addresses of the reserve, though it has none of its own. */
  isKnown(client: DhcpClient): boolean;
  /** What it starts; undefined for nothing. */
  planFor(client: DhcpClient): BootPlan | undefined;
}

/** What changed in who has which address. */
export type LeaseChange =
  | { readonly kind: 'bound'; readonly lease: Lease }
  | { readonly kind: 'freed'; readonly address: Ipv4 };

/** What a packet leads to. */
export interface DhcpAnswer {
  /** What has to be kept before the answer is sent. */
  readonly change?: LeaseChange | undefined;
  readonly reply?: { readonly packet: DhcpPacket; readonly destination: Destination } | undefined;
}

const nothing: DhcpAnswer = {};

/** What a server that gives out addresses does with a packet of a client. Source: RFC 2131, section 4.3. */
export function answerRequest(request: DhcpPacket, context: DhcpContext): DhcpAnswer {
  if (request.operation !== 1) return nothing;
  const pool = poolOf(request, context);
  if (pool === undefined) return nothing;
  const client = clientOf(request);
  const before = pool.find(client.identity);
  const { identity, hardwareAddress } = client;
  const applicant: Applicant = { identity, hardwareAddress, isKnown: before !== undefined || context.isKnown(client) };
  const exchange = new Exchange(request, client, applicant, pool, context);
  switch (numberOf(request.options.get(optionCodes.MESSAGE_TYPE), 1)) {
    case messageTypes.DISCOVER:
      return exchange.discover();
    case messageTypes.REQUEST:
      return exchange.request();
    case messageTypes.DECLINE:
      return exchange.giveBack(exchange.requested, true);
    case messageTypes.RELEASE:
      return exchange.giveBack(request.clientAddress, false);
    case messageTypes.INFORM:
      return exchange.reply(messageTypes.ACK, 0, exchange.options(false));
    default:
      return nothing;
  }
}

/** Link selection (RFC 3527) is not looked at: the relay's own address says which network it is. */
function poolOf({ relayAddress, clientAddress }: DhcpPacket, { pools, server }: DhcpContext): AddressPool | undefined {
  if (relayAddress !== 0) return pools.find((pool) => pool.contains(relayAddress));
  // Who renews through a router asks without its relay.
  const own = clientAddress === 0 ? undefined : pools.find((pool) => pool.contains(clientAddress));
  return own ?? pools.find((pool) => pool.contains(server));
}

/** One packet and its answer. */
class Exchange {
  readonly #request: DhcpPacket;
  readonly #client: DhcpClient;
  readonly #applicant: Applicant;
  readonly #pool: AddressPool;
  readonly #context: DhcpContext;

  constructor(request: DhcpPacket, client: DhcpClient, applicant: Applicant, pool: AddressPool, context: DhcpContext) {
    this.#request = request;
    this.#client = client;
    this.#applicant = applicant;
    this.#pool = pool;
    this.#context = context;
  }

  /** The address that the client names. */
  get requested(): Ipv4 | undefined {
    return numberOf(this.#request.options.get(optionCodes.REQUESTED_ADDRESS), 4);
  }

  discover(): DhcpAnswer {
    const address = this.#pool.offer(this.#applicant, this.requested, this.#context.nowMs);
    if (address === undefined) return nothing;
    return this.reply(messageTypes.OFFER, address, this.options(true));
  }

  /** Source: RFC 2131, section 4.3.2, with its names of states. */
  request(): DhcpAnswer {
    const chosen = numberOf(this.#request.options.get(optionCodes.SERVER_IDENTIFIER), 4);
    const address = this.#request.clientAddress || this.requested;
    const held = this.#pool.find(this.#applicant.identity);
    if (chosen !== undefined) {
      // SELECTING, and another server was selected; an offer of ours runs out by itself.
      if (chosen !== this.#context.server) return nothing;
      return address !== undefined && held?.address === address ? this.#bind(address) : this.#refuse();
    }
    if (address === undefined) return nothing;
    // INIT-REBOOT, RENEWING, REBINDING.
    if (held?.address === address) return this.#bind(address);
    return held !== undefined || !this.#pool.contains(address) ? this.#refuse() : nothing;
  }

  giveBack(address: Ipv4 | undefined, isDeclined: boolean): DhcpAnswer {
    const held = this.#pool.find(this.#applicant.identity);
    if (held === undefined || held.address !== address) return nothing;
    if (isDeclined) this.#pool.decline(held, this.#context.nowMs);
    else this.#pool.free(held);
    return { change: { kind: 'freed', address: held.address } };
  }

  reply(type: number, yourAddress: Ipv4, options: Options): DhcpAnswer {
    const plan = type === messageTypes.NAK ? undefined : this.#context.planFor(this.#client);
    if (plan !== undefined) {
      for (const [code, value] of bootOptions(this.#request, this.#client, plan)) options.set(code, value);
    }
    const { server } = this.#context;
    const packet = makeReply(this.#request, { type, server, yourAddress, options, plan });
    return { reply: { packet, destination: destinationOf(this.#request, type) } };
  }

  options(hasLease: boolean): Options {
    return networkOptions(this.#pool.subnet, hasLease);
  }

  #bind(address: Ipv4): DhcpAnswer {
    const lease = this.#pool.bind(this.#applicant, address, this.#context.nowMs);
    return { ...this.reply(messageTypes.ACK, address, this.options(true)), change: { kind: 'bound', lease } };
  }

  #refuse(): DhcpAnswer {
    const why = encodeValue.text('this address is not yours here');
    return this.reply(messageTypes.NAK, 0, new Map([[optionCodes.MESSAGE, why]]));
  }
}

function networkOptions(
  { leaseSeconds, network, mask, routers, nameServers, domain }: Subnet,
  hasLease: boolean,
): Options {
  const options: Options = new Map();
  if (hasLease) {
    options.set(optionCodes.LEASE_TIME, encodeValue.u32(leaseSeconds));
    options.set(optionCodes.RENEWAL_TIME, encodeValue.u32(Math.floor(leaseSeconds / 2)));
    options.set(optionCodes.REBINDING_TIME, encodeValue.u32(Math.floor((leaseSeconds * 7) / 8)));
  }
  options.set(optionCodes.SUBNET_MASK, encodeValue.addresses(mask));
  options.set(optionCodes.BROADCAST_ADDRESS, encodeValue.addresses((network | ~mask) >>> 0));
  if (routers.length > 0) options.set(optionCodes.ROUTER, encodeValue.addresses(...routers));
  options.set(optionCodes.DOMAIN_NAME_SERVER, encodeValue.addresses(...nameServers));
  if (domain !== undefined) options.set(optionCodes.DOMAIN_NAME, encodeValue.text(domain));
  return options;
}

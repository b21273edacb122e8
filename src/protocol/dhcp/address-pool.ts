import { type Ipv4, isSameNetwork } from './ipv4.ts';
import type { Subnet } from './subnet.ts';

/** An address that a client has. */
export interface Lease {
  readonly address: Ipv4;
  /** As `DhcpClient` has it. */
  readonly identity: string;
  readonly hardwareAddress: string;
  /** In milliseconds since 1970. */
  readonly expiresMs: number;
}

/** For whom an address is wanted. */
export interface Applicant {
  readonly identity: string;
  readonly hardwareAddress: string;
  /** Whether it may have one of the reserve. */
  readonly isKnown: boolean;
}

const offerMs = 15_000;
const declinedMs = 600_000;

/**
 * The addresses of one network, and who has them. Those of each kind lie in the order in which they run out, because all
 * of a kind are given for equally long: so an address is found without a search, however many ask.
 */
export class AddressPool {
  readonly subnet: Subnet;
  readonly #offers = new Map<Ipv4, Lease>();
  readonly #leases = new Map<Ipv4, Lease>();
  /** Somebody else uses them; until when. */
  readonly #declined = new Map<Ipv4, number>();
  readonly #byIdentity = new Map<string, Lease>();
  readonly #fixed: ReadonlySet<Ipv4>;
  /** Given back. */
  readonly #returned = new Set<Ipv4>();
  #rangeIndex = 0;
  #nextAddress: Ipv4;
  /** Addresses that are nobody's by configuration, and those of them that somebody has, was offered or declined. */
  readonly #poolSize: number;
  #usedCount = 0;

  constructor(subnet: Subnet) {
    this.subnet = subnet;
    this.#fixed = new Set(subnet.fixed.values());
    this.#nextAddress = subnet.ranges[0]?.[0] ?? 0;
    const size = subnet.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    this.#poolSize = size - [...this.#fixed].filter((address) => this.#isInRange(address)).length;
  }

  /** Every lease that is known, the ones that ran out included. */
  leases(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** What a client has or was offered; it may have run out. */
  find(identity: string): Lease | undefined {
    return this.#byIdentity.get(identity);
  }

  /** The address that is a machine's by configuration. */
  fixedFor({ identity, hardwareAddress }: Applicant): Ipv4 | undefined {
    return this.subnet.fixed.get(identity) ?? this.subnet.fixed.get(hardwareAddress);
  }

  /** Holds an address for a client for some seconds: its own, else the `wanted` one, else any. */
  offer(applicant: Applicant, wanted: Ipv4 | undefined, nowMs: number): Ipv4 | undefined {
    const before = this.#byIdentity.get(applicant.identity);
    const fixed = this.fixedFor(applicant);
    if (before !== undefined && (fixed === undefined || fixed === before.address) && this.#canKeep(before)) {
      if (this.#offers.has(before.address)) this.#hold(applicant, before.address, nowMs);
      return before.address;
    }
    this.#expire(nowMs);
    const address = fixed ?? this.#take(applicant, wanted, nowMs);
    if (address === undefined || this.#declined.has(address)) return undefined;
    const holder = this.#leases.get(address) ?? this.#offers.get(address);
    if (holder !== undefined && holder.identity !== applicant.identity) return undefined;
    this.#hold(applicant, address, nowMs);
    return address;
  }

  /** Gives a client the address for as long as the network gives them, from now on. */
  bind({ identity, hardwareAddress }: Applicant, address: Ipv4, nowMs: number): Lease {
    const expiresMs = nowMs + this.subnet.leaseSeconds * 1000;
    const lease: Lease = { address, identity, hardwareAddress, expiresMs };
    this.restore(lease);
    return lease;
  }

  /** Takes over a lease that was given before. */
  restore(lease: Lease): void {
    const before = this.#byIdentity.get(lease.identity);
    if (before !== undefined) this.free(before);
    const holder = this.#leases.get(lease.address) ?? this.#offers.get(lease.address);
    if (holder !== undefined) this.free(holder);
    this.#use(lease.address);
    this.#leases.set(lease.address, lease);
    this.#byIdentity.set(lease.identity, lease);
  }

  /** Ends a lease or an offer. */
  free(lease: Lease): void {
    const isHeld = this.#offers.delete(lease.address) || this.#leases.delete(lease.address);
    if (isHeld) this.#unuse(lease.address);
    if (this.#byIdentity.get(lease.identity)?.address === lease.address) this.#byIdentity.delete(lease.identity);
  }

  /** Leaves an address alone for a while that somebody else uses. */
  decline(lease: Lease, nowMs: number): void {
    this.free(lease);
    this.#use(lease.address);
    this.#declined.set(lease.address, nowMs + declinedMs);
  }

  /** Whether the address is one of this network. */
  contains(address: Ipv4): boolean {
    return isSameNetwork(address, this.subnet.network, this.subnet.mask);
  }

  #canKeep({ address }: Lease): boolean {
    return this.#isInRange(address) || this.#fixed.has(address);
  }

  #hold({ identity, hardwareAddress }: Applicant, address: Ipv4, nowMs: number): void {
    const before = this.#byIdentity.get(identity);
    if (before !== undefined) this.free(before);
    this.#use(address);
    const offer: Lease = { address, identity, hardwareAddress, expiresMs: nowMs + offerMs };
    this.#offers.set(address, offer);
    this.#byIdentity.set(identity, offer);
  }

  #take({ isKnown }: Applicant, wanted: Ipv4 | undefined, nowMs: number): Ipv4 | undefined {
    if (this.#freeCount <= (isKnown ? 0 : this.subnet.reserve)) return isKnown ? this.#takeExpired(nowMs) : undefined;
    if (wanted !== undefined && this.#returned.has(wanted)) return wanted;
    return this.#takeUntouched() ?? this.#returned.values().next().value;
  }

  /** What ran out is free again: offers and declined addresses at once, leases when they are needed. */
  #expire(nowMs: number): void {
    for (const offer of this.#offers.values()) {
      if (offer.expiresMs > nowMs) break;
      this.free(offer);
    }
    for (const [address, untilMs] of this.#declined) {
      if (untilMs > nowMs) break;
      this.#declined.delete(address);
      this.#unuse(address);
    }
    if (this.#freeCount <= this.subnet.reserve) this.#takeExpired(nowMs);
  }

  /** The address of the lease that ran out first. */
  #takeExpired(nowMs: number): Ipv4 | undefined {
    const oldest = this.#leases.values().next().value;
    if (oldest === undefined || oldest.expiresMs > nowMs) return undefined;
    this.free(oldest);
    return this.#fixed.has(oldest.address) ? undefined : oldest.address;
  }

  #takeUntouched(): Ipv4 | undefined {
    for (;;) {
      const range = this.subnet.ranges[this.#rangeIndex];
      if (range === undefined) return undefined;
      const address = this.#nextAddress;
      if (address > range[1]) {
        this.#rangeIndex += 1;
        this.#nextAddress = this.subnet.ranges[this.#rangeIndex]?.[0] ?? 0;
        continue;
      }
      this.#nextAddress += 1;
      const isTaken = this.#leases.has(address) || this.#offers.has(address) || this.#declined.has(address);
      if (!isTaken && !this.#fixed.has(address) && !this.#returned.has(address)) return address;
    }
  }

  get #freeCount(): number {
    return this.#poolSize - this.#usedCount;
  }

  #use(address: Ipv4): void {
    this.#returned.delete(address);
    if (this.#isOfPool(address)) this.#usedCount += 1;
  }

  #unuse(address: Ipv4): void {
    if (!this.#isOfPool(address)) return;
    this.#usedCount -= 1;
    this.#returned.add(address);
  }

  #isOfPool(address: Ipv4): boolean {
    return this.#isInRange(address) && !this.#fixed.has(address);
  }

  #isInRange(address: Ipv4): boolean {
    return this.subnet.ranges.some(([first, last]) => address >= first && address <= last);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { ClientAgreement } from '../../protocol/nbd/client-negotiation.ts';
import { commands, transmissionFlags } from '../../protocol/nbd/constants.ts';
import type { AwaitedReply } from '../../protocol/nbd/reply-parser.ts';
import { RequestSlots } from '../request-slots.ts';
import { LostWritesError } from './lost-writes-error.ts';
import { describeNbdAddress, type NbdAddress } from './nbd-address.ts';
import { type ClientRequest, NbdClient } from './nbd-client.ts';

/** How connections to an export are made, and made again. */
export interface NbdConnectionsOptions {
  /** How many, where the server lets several be; 1 where nothing is given. */
  readonly connections?: number | undefined;
  /** How often a request is sent again whose connection broke; 5 where nothing is given. */
  readonly retries?: number | undefined;
  /** How often it is tried to connect again, for 13 seconds altogether with 10 times, which is what is done by default. */
  readonly reconnectAttempts?: number | undefined;
}

/** What is asked of a reply, by what was agreed upon with the server that gives it. */
export type ReplyMaker = (agreement: ClientAgreement) => Pick<AwaitedReply, 'target' | 'onStatus'>;

/** The context that tells data from holes. */
export const allocationContext = 'base:allocation';

const requestsPerConnection = 64;
const maximumDelayMs = 2000;

/** How many writes a connection acknowledged, and how many of them a flush covered. */
interface WriteCount {
  written: number;
  flushed: number;
}

/**
 * Connections to one export. One that breaks is made again, and what it left unanswered is sent again: whatever is asked
 * of a disk may be done twice. Writes that a broken connection had acknowledged are lost, perhaps, unless they had been
 * flushed, so that the next flush says so. Flushes go to every connection that has written.
 */
export class NbdConnections {
  readonly agreement: ClientAgreement;
  readonly #address: NbdAddress;
  readonly #count: number;
  readonly #retries: number;
  readonly #reconnectAttempts: number;
  readonly #slots: RequestSlots;
  readonly #closing = new AbortController();
  readonly #ready = new Map<NbdClient, WriteCount>();
  #reconnecting: Promise<NbdClient> | undefined;
  #next = 0;
  /** How often acknowledged writes may have been lost, and of how many of those a flush has told. */
  #lossCount = 0;
  #toldLossCount = 0;

  /** @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED`, `CORRUPT`, `IO` */
  static async open(address: NbdAddress, options: NbdConnectionsOptions = {}): Promise<NbdConnections> {
    return new NbdConnections(address, await connect(address), options);
  }

  private constructor(
    address: NbdAddress,
    first: NbdClient,
    { connections = 1, reconnectAttempts = 10, retries = 5 }: NbdConnectionsOptions,
  ) {
    this.agreement = first.agreement;
    this.#address = address;
    this.#count = (first.agreement.flags & transmissionFlags.CAN_MULTI_CONN) === 0 ? 1 : connections;
    this.#retries = retries;
    this.#reconnectAttempts = reconnectAttempts;
    this.#slots = new RequestSlots(requestsPerConnection * this.#count);
    this.#admit(first);
  }

  /** Does a request, on whichever connection, and again where that one breaks. @throws VarveError */
  async request(request: ClientRequest, replyFor: ReplyMaker = () => ({})): Promise<void> {
    await this.#slots.run(async () => {
      for (let attempt = 0; ; attempt += 1) {
        const client = this.#pick() ?? (await this.#reconnect());
        try {
          await client.request(request, replyFor(client.agreement));
          this.#noteWrite(client, request);
          return;
        } catch (error) {
          if (!this.#isLost(client, error)) throw error;
          if (attempt >= this.#retries || this.#closing.signal.aborted) throw error;
        }
      }
    });
  }

  /** @throws LostWritesError, once for each loss; VarveError where the server fails */
  async flush(): Promise<void> {
    const toldBefore = this.#toldLossCount;
    const canFlush = (this.agreement.flags & transmissionFlags.SEND_FLUSH) !== 0;
    const dirty = [...this.#ready].filter(([, { flushed, written }]) => written > flushed).map(([client]) => client);
    if (canFlush && dirty.length === 0) await this.request(flushRequest);
    if (canFlush) await Promise.all(dirty.map((client) => this.#flushOn(client)));
    if (this.#lossCount === toldBefore) return;
    this.#toldLossCount = this.#lossCount;
    throw new LostWritesError(describeNbdAddress(this.#address));
  }

  /** Says goodbye on each connection. What is under way fails. */
  close(): void {
    this.#closing.abort();
    for (const client of this.#ready.keys()) client.close();
    this.#ready.clear();
  }

  async #flushOn(client: NbdClient): Promise<void> {
    const count = this.#ready.get(client);
    if (count === undefined) return;
    const { written } = count;
    try {
      await client.request(flushRequest);
      count.flushed = Math.max(count.flushed, written);
    } catch (error) {
      // That the connection broke has been noted as a loss.
      if (!this.#isLost(client, error)) throw error;
    }
  }

  #noteWrite(client: NbdClient, { command }: ClientRequest): void {
    if (command !== commands.WRITE && command !== commands.WRITE_ZEROES) return;
    const count = this.#ready.get(client);
    if (count === undefined) this.#lossCount += 1;
    else count.written += 1;
  }

  /** Whether a request failed with its connection, and not by the server's answer. */
  #isLost(client: NbdClient, error: unknown): boolean {
    // A server that is about to end refuses further requests.
    const isEnding = isVarveError(error, 'BUSY');
    if (client.isOpen && !isEnding) return false;
    const count = this.#ready.get(client);
    if (count !== undefined) {
      if (count.written > count.flushed) this.#lossCount += 1;
      this.#ready.delete(client);
      client.close();
    }
    // Who does not keep to the protocol will not do so the next time.
    return !isVarveError(error, 'CORRUPT');
  }

  /** The connections take turns. Those that broke while nobody used them are sorted out. */
  #pick(): NbdClient | undefined {
    for (const client of this.#ready.keys()) if (!client.isOpen) this.#isLost(client, undefined);
    if (this.#ready.size === 0) return undefined;
    this.#next = (this.#next + 1) % this.#ready.size;
    return [...this.#ready.keys()][this.#next];
  }

  #reconnect(): Promise<NbdClient> {
    this.#reconnecting ??= this.#connectInsistently().finally(() => {
      this.#reconnecting = undefined;
    });
    return this.#reconnecting;
  }

  async #connectInsistently(): Promise<NbdClient> {
    for (let attempt = 0; ; attempt += 1) {
      this.#refuseClosed();
      try {
        const client = await this.#connectToSame();
        this.#admit(client);
        return client;
      } catch (error) {
        if (!isVarveError(error, 'IO', 'NOT_FOUND') || attempt >= this.#reconnectAttempts) throw error;
        const delayMs = Math.min(100 * 2 ** attempt, maximumDelayMs);
        await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => this.#refuseClosed());
      }
    }
  }

  /** Takes a connection into use, and makes further ones where there are to be more. */
  #admit(client: NbdClient): void {
    this.#ready.set(client, newCount());
    for (let count = this.#ready.size; count < this.#count; count += 1) {
      this.#connectToSame().then(
        (further) => (this.#ready.size < this.#count ? this.#ready.set(further, newCount()) : further.close()),
        // One does, too, where the server lets no more in.
        () => undefined,
      );
    }
  }

  /** @throws VarveError `CONFLICT` for an export that is not the one that it was */
  async #connectToSame(): Promise<NbdClient> {
    const client = await connect(this.#address);
    const difference = differenceBetween(this.agreement, client.agreement);
    if (difference === undefined && !this.#closing.signal.aborted) return client;
    client.close();
    this.#refuseClosed();
    const label = describeNbdAddress(this.#address);
    throw new VarveError('CONFLICT', `${label} is another disk than before: ${difference}`);
  }

  #refuseClosed(): void {
    if (!this.#closing.signal.aborted) return;
    throw new VarveError('IO', `${describeNbdAddress(this.#address)} was closed`);
  }
}

const flushRequest: ClientRequest = { command: commands.FLUSH, flags: 0, offset: 0, length: 0 };

function newCount(): WriteCount {
  return { written: 0, flushed: 0 };
}

async function connect(address: NbdAddress): Promise<NbdClient> {
  return await NbdClient.connect(address, { contexts: [allocationContext] });
}

function differenceBetween(before: ClientAgreement, now: ClientAgreement): string | undefined {
  if (now.size !== before.size) return `it has ${now.size} bytes now, and had ${before.size}`;
  if (now.flags !== before.flags) return 'the server offers something else of it';
  if (now.blockSizes.minimum !== before.blockSizes.minimum || now.blockSizes.maximum !== before.blockSizes.maximum) {
    return 'the server wants other block sizes';
  }
  const [knows, knew] = [now, before].map(({ contexts }) => contexts.has(allocationContext));
  return knows === knew ? undefined : 'the server knows more, or less, of its holes';
}

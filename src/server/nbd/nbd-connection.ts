import type { Duplex } from 'node:stream';
import { commandFlags, commands, nbdErrors } from '../../protocol/nbd/constants.ts';
import type { NegotiationResult } from '../../protocol/nbd/negotiation.ts';
import {
  decodeRequest,
  emptyRequest,
  type RequestHeader,
  requestLength,
} from '../../protocol/nbd/transmission-codec.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { maximumPayloadLength, type NbdExport } from './nbd-export.ts';
import { type Pending, Replies } from './replies.ts';
import { ReplyOutput } from './reply-output.ts';
import { RequestHandler } from './request-handler.ts';

/** The bytes of the payloads of a client's requests that are under way at once; then it has to wait. */
const maximumInFlightLength = 2 ** 26;
/** Bytes of replies that wait to be read by the client. */
const maximumPendingLength = 2 ** 23;
/** A payload that is longer than any may be is read past up to here; beyond, the connection is closed. */
const maximumSkippedLength = 2 ** 27;

/** What a connection may take of its server. */
export interface ConnectionLimits {
  /** Requests that are under way at once; then the client has to wait. */
  readonly maximumRequests: number;
  /** What it shares with all others. */
  readonly budget: MemoryBudget;
  /** So long a client may stop in the middle of a request, in milliseconds; 0 is for ever. */
  readonly stallTimeoutMs: number;
}

type Agreed = Extract<NegotiationResult, { kind: 'export' }>;

/** A payload that has not come in whole. */
interface Incoming {
  readonly request: Pending;
  readonly payload: Uint8Array;
  filled: number;
}

const nothing = new Uint8Array();

/**
 * The transmission phase of one connection: takes requests apart, has them handled, and holds the client back where it
 * asks for more than it takes. Ends when the client says so or goes away, or at `shutDown`, once all that was under way
 * is answered.
 */
export class NbdConnection {
  readonly #stream: Duplex;
  readonly #handler: RequestHandler;
  readonly #replies: Replies;
  readonly #output: ReplyOutput;
  readonly #extended: boolean;
  readonly #headerLength: number;
  readonly #limits: ConnectionLimits;
  readonly #ended = Promise.withResolvers<void>();
  readonly #resume = (): void => this.#process();
  #rest: Uint8Array = nothing;
  #incoming: Incoming | undefined;
  /** A request whose payload is too long; refused when all of that went by, as clients do not listen before. */
  #refused: { readonly request: Pending; left: number } | undefined;
  #inFlight = 0;
  #inFlightLength = 0;
  #isEnding = false;
  #isShuttingDown = false;
  #isOver = false;
  #isProcessing = false;
  /** What was taken from the budget. */
  #held = 0;
  #receivedLength = 0;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(stream: Duplex, nbdExport: NbdExport, { contexts, replies: style }: Agreed, limits: ConnectionLimits) {
    this.#stream = stream;
    this.#limits = limits;
    this.#output = new ReplyOutput(stream, () => this.#process());
    this.#replies = new Replies(this.#output, style);
    this.#handler = new RequestHandler({ nbdExport, contexts, output: this.#output, replies: this.#replies });
    this.#extended = style === 'extended';
    this.#headerLength = requestLength(style);
  }

  /** Serves until the connection is over and nothing is under way. `received` came in behind the handshake. */
  async serve(received: Uint8Array): Promise<void> {
    const stream = this.#stream;
    stream.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
    // A client that goes away in the middle of something is nothing to speak of; `close` follows.
    stream.on('error', () => this.#end());
    this.#receive(received);
    stream.resume();
    await this.#ended.promise;
  }

  /** Whether requests are under way. */
  get isBusy(): boolean {
    return this.#inFlight > 0;
  }

  /** Refuses what comes from now on, and ends the connection once all that is under way is answered. */
  shutDown(): void {
    this.#isShuttingDown = true;
    this.#endIfIdle();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#receivedLength += chunk.length;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#process();
  }

  /** Hot: handles all requests that are there, and sends the replies to them together. */
  #process(): void {
    if (this.#isProcessing) return;
    this.#isProcessing = true;
    let position = 0;
    const bytes = this.#rest;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    while (!this.#isEnding && !this.#mustWait()) {
      const taken = this.#take(bytes, view, position);
      if (taken === 0) break;
      position += taken;
    }
    this.#rest = position === bytes.length ? nothing : bytes.subarray(position);
    this.#output.flush();
    this.#isProcessing = false;
    this.#report();
    if (this.#mustWait()) this.#pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
    if (this.#stallTimer === undefined && this.#isMidway()) this.#watch();
  }

  /** Hot: tells the budget what is held now. */
  #report(): void {
    const held = this.#isOver
      ? 0
      : this.#inFlightLength + this.#output.pendingLength + (this.#incoming?.payload.length ?? 0);
    if (held === this.#held) return;
    const difference = held - this.#held;
    this.#held = held;
    this.#limits.budget.change(difference);
  }

  #pause(): void {
    this.#stream.pause();
    const { budget } = this.#limits;
    if (budget.isFull) budget.wait(this.#resume);
  }

  #isMidway(): boolean {
    return this.#incoming !== undefined || this.#refused !== undefined || this.#rest.length > 0;
  }

  /** Ends the connection where the client has stopped in the middle of a request. */
  #watch(): void {
    const { stallTimeoutMs } = this.#limits;
    if (stallTimeoutMs === 0) return;
    const before = this.#receivedLength;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      if (this.#isOver || !this.#isMidway()) return;
      if (this.#receivedLength === before && !this.#mustWait()) this.#stream.destroy();
      else this.#watch();
    }, stallTimeoutMs).unref();
  }

  /** Takes a request, or a part of a payload, and gives how many bytes it was; 0 where more have to come. */
  #take(bytes: Uint8Array, view: DataView, position: number): number {
    const available = bytes.length - position;
    if (this.#refused !== undefined) return this.#skip(this.#refused, available);
    if (this.#incoming !== undefined) return this.#fill(this.#incoming, bytes, position);
    if (available < this.#headerLength) return 0;
    const request = emptyRequest();
    decodeRequest(view, position, this.#extended, request);
    if (!request.hasMagic) return this.#lose(available);
    // With extended headers a flag says so, and without them only a write has a payload.
    const hasPayload = this.#extended
      ? (request.flags & commandFlags.PAYLOAD_LEN) !== 0
      : request.command === commands.WRITE;
    if (!hasPayload) {
      this.#start(request, undefined);
      return this.#headerLength;
    }
    return this.#takePayload(request, bytes, position);
  }

  #takePayload(request: RequestHeader, bytes: Uint8Array, position: number): number {
    const { length } = request;
    const start = position + this.#headerLength;
    if (length > maximumPayloadLength) {
      if (length > maximumSkippedLength) return this.#lose(bytes.length - position);
      this.#refused = { request, left: length };
      return this.#headerLength;
    }
    if (bytes.length - start >= length) {
      // What came in together is not copied: each chunk of a stream is a buffer of its own.
      this.#start(request, bytes.subarray(start, start + length));
      return this.#headerLength + length;
    }
    this.#incoming = { request, payload: new Uint8Array(length), filled: 0 };
    return this.#headerLength;
  }

  #skip(refused: { readonly request: Pending; left: number }, available: number): number {
    const length = Math.min(available, refused.left);
    refused.left -= length;
    if (refused.left === 0) {
      this.#refused = undefined;
      const message = `a payload has at most ${maximumPayloadLength} bytes here`;
      this.#replies.fail(refused.request, { error: nbdErrors.EINVAL, message });
    }
    return length;
  }

  #fill(incoming: Incoming, bytes: Uint8Array, position: number): number {
    const { filled, payload, request } = incoming;
    const part = bytes.subarray(position, position + payload.length - filled);
    payload.set(part, filled);
    incoming.filled += part.length;
    if (incoming.filled === payload.length) {
      this.#incoming = undefined;
      this.#start(request, payload);
    }
    return part.length;
  }

  #start(request: Pending, payload: Uint8Array | undefined): void {
    if (request.command === commands.DISC) {
      this.#end();
      return;
    }
    if (this.#isShuttingDown) {
      this.#replies.fail(request, { error: nbdErrors.ESHUTDOWN, message: 'the server is shutting down' });
      return;
    }
    const pending = this.#handler.handle(request, payload);
    if (pending !== undefined) void this.#await(pending, request.length > maximumPayloadLength ? 0 : request.length);
  }

  async #await(pending: Promise<void>, length: number): Promise<void> {
    this.#inFlight += 1;
    this.#inFlightLength += length;
    await pending;
    this.#inFlight -= 1;
    this.#inFlightLength -= length;
    this.#process();
    this.#endIfIdle();
  }

  #mustWait(): boolean {
    const { budget, maximumRequests } = this.#limits;
    return (
      this.#inFlight >= maximumRequests ||
      this.#inFlightLength >= maximumInFlightLength ||
      this.#output.pendingLength >= maximumPendingLength ||
      (budget.isFull && (this.#inFlight > 0 || this.#output.pendingLength > 0))
    );
  }

  /** What comes is no NBD any more, and no reply would be understood. */
  #lose(length: number): number {
    this.#end();
    return length;
  }

  #end(): void {
    this.#isEnding = true;
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (!(this.#isEnding || this.#isShuttingDown) || this.#inFlight > 0) return;
    this.#isEnding = true;
    this.#output.flush();
    this.#isOver = true;
    this.#incoming = undefined;
    this.#report();
    this.#limits.budget.forget(this.#resume);
    clearTimeout(this.#stallTimer);
    this.#stream.end();
    this.#ended.resolve();
  }
}

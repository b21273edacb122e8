import type { MaybePromise } from '../../block/block-device.ts';
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
import { RequestInput } from './request-input.ts';
import type { Wire, WireReceiver } from './wire.ts';

/** The bytes of the payloads of a client's requests that are under way at once; then it has to wait. */
const maximumInFlightLength = 2 ** 26;
/** Bytes of replies that wait to be read by the client. */
const maximumPendingLength = 2 ** 23;
/** A payload up to that length is handled where it stands in the input. */
const maximumInPlaceLength = 2 ** 18;
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

/**
 * The transmission phase of one connection: takes requests apart, has them handled, and holds the client back where it
 * asks for more than it takes. Ends when the client says so or goes away, or at `shutDown`, once all that was under way
 * is answered.
 */
export class NbdConnection implements WireReceiver {
  readonly #wire: Wire;
  readonly #input = new RequestInput();
  readonly #handler: RequestHandler;
  readonly #replies: Replies;
  readonly #output: ReplyOutput;
  readonly #extended: boolean;
  readonly #headerLength: number;
  readonly #limits: ConnectionLimits;
  readonly #ended = Promise.withResolvers<void>();
  readonly #resume = (): void => this.#process();
  /** Whether the last write was done when the device returned, so that the next may be done from the arena. */
  #writesAtOnce = true;
  #incoming: Incoming | undefined;
  /** A request whose payload is too long; refused when all of that went by, as clients do not listen before. */
  #refused: { readonly request: Pending; left: number } | undefined;
  #inFlight = 0;
  #inFlightLength = 0;
  #isEnding = false;
  #isShuttingDown = false;
  #isOver = false;
  #isProcessing = false;
  #isPaused = false;
  /** What was taken from the budget. */
  #held = 0;
  #receivedLength = 0;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(wire: Wire, nbdExport: NbdExport, { contexts, replies: style }: Agreed, limits: ConnectionLimits) {
    this.#wire = wire;
    this.#limits = limits;
    this.#output = new ReplyOutput(wire, () => this.#process());
    this.#replies = new Replies(this.#output, style);
    this.#handler = new RequestHandler({ nbdExport, contexts, output: this.#output, replies: this.#replies });
    this.#extended = style === 'extended';
    this.#headerLength = requestLength(style);
  }

  /** Serves until the connection is over and nothing is under way. */
  async serve(): Promise<void> {
    this.#input.append(this.#wire.early);
    this.#wire.open(this);
    if (this.#isOver) this.#wire.end();
    else this.#process();
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

  space(): Uint8Array {
    return this.#input.space();
  }

  received(length: number): void {
    this.#receivedLength += length;
    this.#input.received(length);
    if (this.#isOver) this.#input.clear();
    else this.#process();
  }

  ended(): void {
    this.#end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#wire.destroy();
  }

  /** Hot: handles all requests that are there, and sends the replies to them together. */
  #process(): void {
    if (this.#isProcessing) return;
    this.#isProcessing = true;
    while (!this.#isEnding && !this.#mustWait() && this.#take()) this.#output.flushPart();
    if (this.#isEnding) this.#input.clear();
    this.#output.flush();
    this.#isProcessing = false;
    this.#report();
    if (this.#mustWait()) this.#pause();
    else if (this.#isPaused) {
      this.#isPaused = false;
      this.#wire.resume();
    }
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
    if (!this.#isPaused) this.#wire.pause();
    this.#isPaused = true;
    const { budget } = this.#limits;
    if (budget.isFull) budget.wait(this.#resume);
  }

  #isMidway(): boolean {
    return this.#incoming !== undefined || this.#refused !== undefined || this.#input.length > 0;
  }

  /** Ends the connection where the client has stopped in the middle of a request. */
  #watch(): void {
    const { stallTimeoutMs } = this.#limits;
    if (stallTimeoutMs === 0) return;
    const before = this.#receivedLength;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      if (this.#isOver || !this.#isMidway()) return;
      if (this.#receivedLength === before && !this.#mustWait()) this.#wire.destroy();
      else this.#watch();
    }, stallTimeoutMs).unref();
  }

  /** Takes a request, or a part of a payload; false where more has to come. */
  #take(): boolean {
    const input = this.#input;
    const available = input.length;
    if (this.#refused !== undefined) return this.#skip(this.#refused, available);
    if (this.#incoming !== undefined) return this.#fill(this.#incoming, available);
    if (available < this.#headerLength) return false;
    const request = emptyRequest();
    decodeRequest(input.view, input.position, this.#extended, request);
    if (!request.hasMagic) return this.#lose();
    // With extended headers a flag says so, and without them only a write has a payload.
    const hasPayload = this.#extended
      ? (request.flags & commandFlags.PAYLOAD_LEN) !== 0
      : request.command === commands.WRITE;
    if (hasPayload) return this.#takePayload(request, available);
    input.take(this.#headerLength);
    void this.#start(request, undefined);
    return true;
  }

  #takePayload(request: RequestHeader, available: number): boolean {
    const { length } = request;
    const input = this.#input;
    if (length > maximumSkippedLength) return this.#lose();
    if (available >= this.#headerLength + length) {
      const start = input.position + this.#headerLength;
      const payload = input.bytes.subarray(start, start + length);
      input.take(this.#headerLength + length);
      this.#startInPlace(request, payload);
      return true;
    }
    if (length <= maximumInPlaceLength) {
      input.require(this.#headerLength + length);
      return false;
    }
    input.take(this.#headerLength);
    if (length > maximumPayloadLength) this.#refused = { request, left: length };
    else this.#incoming = { request, payload: new Uint8Array(length), filled: 0 };
    return true;
  }

  #skip(refused: { readonly request: Pending; left: number }, available: number): boolean {
    const length = Math.min(available, refused.left);
    this.#input.take(length);
    refused.left -= length;
    if (refused.left > 0) return false;
    this.#refused = undefined;
    const message = `a payload has at most ${maximumPayloadLength} bytes here`;
    this.#replies.fail(refused.request, { error: nbdErrors.EINVAL, message });
    return true;
  }

  #fill(incoming: Incoming, available: number): boolean {
    const { filled, payload, request } = incoming;
    const input = this.#input;
    const length = Math.min(available, payload.length - filled);
    payload.set(input.bytes.subarray(input.position, input.position + length), filled);
    input.take(length);
    incoming.filled += length;
    if (incoming.filled < payload.length) return false;
    this.#incoming = undefined;
    void this.#start(request, payload);
    return true;
  }

  /** Starts a request whose payload stands in the arena, which is kept for it as long as it needs it. */
  #startInPlace(request: Pending, payload: Uint8Array): void {
    if (this.#writesAtOnce) {
      const pending = this.#start(request, payload);
      if (pending === undefined) return;
      this.#writesAtOnce = false;
      const arena = this.#input.giveAway();
      void pending.then(() => this.#input.takeBack(arena));
    } else {
      this.#writesAtOnce = this.#start(request, payload.slice()) === undefined;
    }
  }

  #start(request: Pending, payload: Uint8Array | undefined): MaybePromise<void> {
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
    return pending;
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
      this.#output.shouldDrain ||
      (budget.isFull && (this.#inFlight > 0 || this.#output.pendingLength > 0))
    );
  }

  /** What comes is no NBD any more, and no reply would be understood. */
  #lose(): boolean {
    this.#end();
    return true;
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
    this.#wire.end();
    this.#ended.resolve();
  }
}

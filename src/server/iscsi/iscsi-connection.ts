import type { MaybePromise } from '../../block/block-device.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import { log } from '../../log/log.ts';
import {
  headerLength,
  loginStatus,
  noTag,
  rejectReasons,
  requests,
  responses,
} from '../../protocol/iscsi/constants.ts';
import { type LoginResult, TargetLogin } from '../../protocol/iscsi/login.ts';
import {
  defaultParameters,
  type OperationalParameters,
  ownSegmentLength,
} from '../../protocol/iscsi/operational-keys.ts';
import { ReplyOutput } from '../nbd/reply-output.ts';
import { RequestInput } from '../nbd/request-input.ts';
import type { Wire, WireReceiver } from '../nbd/wire.ts';
import { CommandWindow } from './command-window.ts';
import type { ConnectionOptions, SessionCarrier } from './connection-options.ts';
import { InitiatorWatch } from './initiator-watch.ts';
import { MemoryShare } from './memory-share.ts';
import { PduOutput, paddedLength } from './pdu-output.ts';
import type { Session } from './session.ts';
import { TextAnswers } from './text-answers.ts';

/** What may come with one PDU before the session stands, in bytes. */
const loginSegmentLength = 8192;
/** Bytes that wait to be taken by the initiator; then it has to wait. */
const maximumPendingLength = 2 ** 23;
/** The same, where all that the server may hold is used up. */
const leastPendingLength = 2 ** 19;

/**
 * One connection, which is one session: takes PDUs apart, logs the initiator in, and hands on its commands. Ends when the
 * initiator logs out, goes away or breaks the rules so that nothing it says can be told apart. Hot: bench/iscsi.ts.
 */
export class IscsiConnection implements WireReceiver, SessionCarrier {
  readonly #wire: Wire;
  readonly #options: ConnectionOptions;
  readonly #input = new RequestInput();
  readonly #output: ReplyOutput;
  readonly #login: TargetLogin;
  readonly #ended = Promise.withResolvers<void>();
  readonly #resume = (): void => this.#process();
  readonly #roomWaiters: (() => void)[] = [];
  readonly window = new CommandWindow();
  readonly share: MemoryShare;
  readonly pdus: PduOutput;
  parameters: OperationalParameters = defaultParameters();
  #texts: TextAnswers | undefined;
  #session: Session | undefined;
  #isLoggedIn = false;
  #isFirst = true;
  /** Something has to be done before the next PDU is looked at. */
  #isWaiting = false;
  #isProcessing = false;
  #isPaused = false;
  #isOver = false;
  #isEnding = false;
  #writesAtOnce = true;
  #held = 0;
  readonly #watch: InitiatorWatch;

  constructor(wire: Wire, options: ConnectionOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#login = new TargetLogin(options.policy);
    this.share = new MemoryShare(options.budget);
    this.#output = new ReplyOutput(wire, () => this.#drained());
    this.pdus = new PduOutput(this.#output, this.window);
    this.#watch = new InitiatorWatch({
      pingIntervalMs: options.pingIntervalMs,
      stallTimeoutMs: options.stallTimeoutMs,
      isHeard: () => !this.#isPaused,
      owes: () => this.#owes(),
      ping: () => this.#ping(),
      leave: (why) => this.#leave(why),
    });
  }

  /** Serves until the connection is over and the disk has done with it. */
  async serve(): Promise<void> {
    this.#input.append(this.#wire.early);
    this.#wire.open(this);
    this.#process();
    await this.#ended.promise;
    this.#watch[Symbol.dispose]();
    await this.#session?.abort();
  }

  /** Whether it has come to a session. */
  get isLoggedIn(): boolean {
    return this.#isLoggedIn;
  }

  /** Returns when the initiator has taken enough of what it was sent. */
  room(): MaybePromise<void> {
    this.#output.flushPart();
    if (this.#hasRoom() || this.#isOver) return;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Tells the initiator that it will be left, and ends. */
  shutDown(): void {
    if (this.#isOver) return;
    if (this.#isLoggedIn) {
      // Event 2: the target drops the connection; it may come again after two seconds.
      this.pdus.respond(responses.ASYNC, 0x80, noTag, noData, (view, at) => {
        view.setUint8(at + 36, 2);
        view.setUint16(at + 40, 2);
      });
    }
    this.#end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#end();
    this.#wire.destroy();
  }

  space(): Uint8Array {
    return this.#input.space();
  }

  received(length: number): void {
    this.#watch.spoke();
    this.#input.received(length);
    if (this.#isOver) this.#input.clear();
    else this.#process();
  }

  ended(): void {
    this.#end();
  }

  #process(): void {
    if (this.#isProcessing || this.#isOver) return;
    this.#isProcessing = true;
    while (!this.#isEnding && !this.#mustWait() && this.#take()) this.#output.flushPart();
    this.#output.flush();
    this.#isProcessing = false;
    if (this.#isEnding) {
      this.#end();
      return;
    }
    this.#report();
    if (this.#mustWait()) this.#pause();
    else if (this.#isPaused) {
      this.#isPaused = false;
      this.#wire.resume();
    }
  }

  #mustWait(): boolean {
    const { pendingLength } = this.#output;
    return (
      this.#isWaiting ||
      this.#output.shouldDrain ||
      pendingLength >= maximumPendingLength ||
      (this.share.isFull && pendingLength >= leastPendingLength)
    );
  }

  #pause(): void {
    if (!this.#isPaused) this.#wire.pause();
    this.#isPaused = true;
    if (this.share.isFull) this.share.wait(this.#resume);
  }

  #hasRoom(): boolean {
    return this.#output.pendingLength < (this.share.isFull ? leastPendingLength : maximumPendingLength);
  }

  /** It does not take what it was sent, or does not send the rest of what it has begun. */
  #owes(): boolean {
    if (this.#output.pendingLength > 0) return true;
    return !this.#mustWait() && (this.#input.length > 0 || (this.#session?.asksForData ?? false));
  }

  #drained(): void {
    this.#watch.took();
    if (this.#hasRoom()) for (const wake of this.#roomWaiters.splice(0)) wake();
    this.#process();
  }

  #report(): void {
    const held = this.#isOver ? 0 : this.#output.pendingLength;
    if (held === this.#held) return;
    const difference = held - this.#held;
    this.#held = held;
    this.share.change(difference);
  }

  /** Takes a PDU; false where more has to come. */
  #take(): boolean {
    const input = this.#input;
    if (input.length < headerLength) return false;
    const lengths = input.view.getUint32(input.position + 4);
    const dataLength = lengths & 0xff_ffff;
    if (dataLength > (this.#isLoggedIn ? ownSegmentLength : loginSegmentLength)) return this.#lose('a PDU is too long');
    const { dataDigest, headerDigest } = this.pdus;
    const headersLength = headerLength + (lengths >>> 24) * 4;
    const dataStart = headersLength + (headerDigest ? 4 : 0);
    const dataEnd = dataStart + paddedLength(dataLength);
    const total = dataEnd + (dataDigest && dataLength > 0 ? 4 : 0);
    if (input.length < total) {
      input.require(total);
      return false;
    }
    const at = input.position;
    const { bytes, view } = input;
    if (headerDigest && crc32c(bytes.subarray(at, at + headersLength)) !== view.getUint32(at + headersLength, true)) {
      return this.#lose('the digest of a header is wrong');
    }
    const data = dataLength === 0 ? noData : bytes.subarray(at + dataStart, at + dataStart + dataLength);
    input.take(total);
    const isChecked = dataDigest && dataLength > 0;
    if (isChecked && crc32c(bytes.subarray(at + dataStart, at + dataEnd)) !== view.getUint32(at + dataEnd, true)) {
      this.pdus.reject(rejectReasons.DATA_DIGEST_ERROR, bytes.subarray(at, at + headerLength));
      return this.#lose('the digest of data is wrong');
    }
    this.#handle(view, at, data);
    return true;
  }

  #handle(view: DataView, at: number, data: Uint8Array): void {
    const code = view.getUint8(at) & 0x3f;
    if (!this.#isLoggedIn) {
      if (code === requests.LOGIN) this.#logIn(view, at, data);
      else this.#lose('there has been no login');
      return;
    }
    const isData = code === requests.DATA_OUT;
    if (!isData && code !== requests.SNACK) {
      const isImmediate = (view.getUint8(at) & 0x40) !== 0;
      const underWay = this.#session?.taskCount ?? 0;
      // Out of its turn; the initiator sends it again, or finds out.
      if (!this.window.take(view.getUint32(at + 24), isImmediate, underWay)) return;
    }
    if (code === requests.SCSI_COMMAND || isData) this.#transfer(view, at, data, isData);
    else this.#control(code, view, at, data);
  }

  #transfer(view: DataView, at: number, data: Uint8Array, isData: boolean): void {
    const session = this.#session;
    if (session === undefined) this.#reject(rejectReasons.PROTOCOL_ERROR, view, at);
    else if (isData) this.#await(session.data(view, at, data));
    else if (data.length === 0) this.#await(session.command(view, at, data));
    else this.#write(session, view, at, data);
  }

  /** Where the disk is done at once, the data is written from where it stands in the input. */
  #write(session: Session, view: DataView, at: number, data: Uint8Array): void {
    const isInPlace = this.#writesAtOnce;
    const pending = session.command(view, at, isInPlace ? data : data.slice());
    this.#writesAtOnce = pending === undefined;
    if (pending === undefined) return;
    const arena = isInPlace ? this.#input.giveAway() : undefined;
    this.share.change(data.length);
    this.#await(
      pending.finally(() => {
        this.share.change(-data.length);
        if (arena !== undefined) this.#input.takeBack(arena);
      }),
    );
  }

  #control(code: number, view: DataView, at: number, data: Uint8Array): void {
    const tag = view.getUint32(at + 16);
    if (code === requests.NOP_OUT) {
      // An answer to what was asked here needs none.
      if (tag !== noTag) this.#echo(tag, data);
    } else if (code === requests.TEXT) {
      this.#texts?.answer(view, at, data);
    } else if (code === requests.LOGOUT) {
      this.#logOut(tag, view.getUint8(at + 1) & 0x7f);
    } else if (code === requests.TASK_MANAGEMENT && this.#session !== undefined) {
      this.#await(this.#session.manage(view, at));
    } else {
      const { COMMAND_NOT_SUPPORTED, PROTOCOL_ERROR, SNACK_REJECT } = rejectReasons;
      const isKnown = code === requests.LOGIN || code === requests.TASK_MANAGEMENT;
      this.#reject(code === requests.SNACK ? SNACK_REJECT : isKnown ? PROTOCOL_ERROR : COMMAND_NOT_SUPPORTED, view, at);
    }
  }

  #echo(tag: number, data: Uint8Array): void {
    const length = Math.min(data.length, this.parameters.maximumSegmentLength);
    this.pdus.respond(responses.NOP_IN, 0x80, tag, data.subarray(0, length), (view, at) => {
      view.setUint32(at + 20, noTag);
    });
  }

  #reject(reason: (typeof rejectReasons)[keyof typeof rejectReasons], view: DataView, at: number): void {
    this.pdus.reject(reason, new Uint8Array(view.buffer, view.byteOffset + at, headerLength));
  }

  /** Recovery of a connection is not offered; all else ends the session, which has no other connection. */
  #logOut(tag: number, reason: number): void {
    this.pdus.respond(responses.LOGOUT, 0x80, tag, noData, (view, at) => view.setUint8(at + 2, reason > 1 ? 2 : 0));
    if (reason <= 1) this.#isEnding = true;
  }

  #await(pending: MaybePromise<void>): void {
    pending?.then(
      () => {
        if (!this.#isProcessing) this.#output.flush();
        this.#process();
      },
      (error) => this.#leave((error as Error).message),
    );
  }

  #logIn(view: DataView, at: number, data: Uint8Array): void {
    const header = new DataView(view.buffer.slice(view.byteOffset + at, view.byteOffset + at + headerLength));
    if (this.#isFirst) {
      const first = header.getUint32(24);
      this.window.begin(first);
      this.#isFirst = false;
    }
    const response = this.#login.step({
      flags: header.getUint8(1),
      lowestVersion: header.getUint8(3),
      text: data,
    });
    const { result } = this.#login;
    if (response.status !== loginStatus.SUCCESS || result === undefined) {
      this.#answerLogin(header, response.flags, response.status, header.getUint16(14), response.text);
      return;
    }
    this.parameters = result.parameters;
    this.#isWaiting = true;
    this.#await(this.#open(header, result, response.flags, response.text));
  }

  async #open(header: DataView, login: LoginResult, flags: number, text: Uint8Array): Promise<void> {
    const isid = Buffer.from(header.buffer, 8, 6).toString('hex');
    const opened = await this.#options.open({ login, isid, sessionHandle: header.getUint16(14) }, this);
    this.#isWaiting = false;
    if (this.#isOver) return;
    if ('status' in opened) {
      this.#answerLogin(header, flags & 0x0c, opened.status, 0, noData);
      return;
    }
    this.#answerLogin(header, flags, loginStatus.SUCCESS, opened.handle, text);
    this.#session = opened.session;
    this.pdus.headerDigest = this.parameters.headerDigest;
    this.pdus.dataDigest = this.parameters.dataDigest;
    const { parameters, pdus } = this;
    this.#texts = new TextAnswers({ pdus, parameters, own: login.target, targets: () => this.#options.targets() });
    this.#isLoggedIn = true;
    this.#watch.begin();
  }

  #answerLogin(request: DataView, flags: number, status: number, handle: number, text: Uint8Array): void {
    this.pdus.answerLogin(request, { flags, status, handle }, text);
    if (status === loginStatus.SUCCESS) return;
    this.#options.refused?.(status, this.#login.wanted);
    this.#lose(`the login was refused: ${status.toString(16).padStart(4, '0')}`);
  }

  #ping(): void {
    this.pdus.ping();
    this.#output.flush();
  }

  /** Nothing that comes can be understood any more. */
  #lose(why: string): boolean {
    log(2, 'closing: %s', why);
    this.#isEnding = true;
    return true;
  }

  #leave(why: string): void {
    log(1, 'closing: %s', why);
    this.destroy();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isEnding = true;
    this.#output.flush();
    this.#isOver = true;
    this.#input.clear();
    this.#report();
    this.share.forget(this.#resume);
    for (const wake of this.#roomWaiters.splice(0)) wake();
    this.#wire.end();
    this.#ended.resolve();
  }
}

const noData = new Uint8Array();

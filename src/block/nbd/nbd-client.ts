import net from 'node:net';
import type { Duplex } from 'node:stream';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { type ClientAgreement, type ClientWish, negotiateAsClient } from '../../protocol/nbd/client-negotiation.ts';
import { commands } from '../../protocol/nbd/constants.ts';
import { type AwaitedReplies, type AwaitedReply, ReplyParser } from '../../protocol/nbd/reply-parser.ts';
import { encodeRequest, requestLength } from '../../protocol/nbd/transmission-codec.ts';
import { clientTls } from './client-tls.ts';
import { ExactReader } from './exact-reader.ts';
import { describeNbdAddress, type NbdAddress } from './nbd-address.ts';

/** A request as it is sent. */
export interface ClientRequest {
  /** Of `commands` and `commandFlags`. */
  readonly command: number;
  readonly flags: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
  /** What is written. */
  readonly payload?: Uint8Array;
}

const connectTimeoutMs = 30_000;
/** After so many milliseconds of silence the system begins to ask whether the other side is still there. */
const keepAliveInitialDelay = 30_000;
const tcpOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay };
/**
 * How much is read at once, in bytes, always into the same buffer: with one for each 64 KiB a fifth of a copy's time went
 * into collecting them.
 */
const readLength = 2 ** 18;

const verbs: ReadonlyMap<number, string> = new Map([
  [commands.READ, 'read'],
  [commands.WRITE, 'write'],
  [commands.WRITE_ZEROES, 'zero'],
  [commands.TRIM, 'trim'],
  [commands.FLUSH, 'flush'],
  [commands.BLOCK_STATUS, 'look for holes in'],
]);

/** One connection to an NBD server, ready for requests. */
export class NbdClient {
  readonly agreement: ClientAgreement;
  readonly #stream: Duplex;
  readonly #label: string;
  readonly #awaited: AwaitedReplies = new Map();
  readonly #parser = new ReplyParser(this.#awaited);
  #cookie = 0;
  #isCorked = false;
  #failure: VarveError | undefined;

  /** @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED`, `CORRUPT`, `IO` where nobody answers */
  static async connect(address: NbdAddress, wish: Omit<ClientWish, 'exportName'>): Promise<NbdClient> {
    const label = describeNbdAddress(address);
    const socket = await connected(address, label);
    const timer = setTimeout(() => socket.destroy(), connectTimeoutMs);
    try {
      const { agreement, received, stream } = await negotiate(socket, address, wish.contexts);
      return new NbdClient(stream, agreement, label, received);
    } catch (error) {
      socket.destroy();
      if (!(error instanceof VarveError)) throw error;
      throw new VarveError(error.code, `cannot open ${label}: ${error.message}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Comes to the default export over a stream that is connected already, which belongs to the client from then on.
   *
   * @throws VarveError as `connect` does
   */
  static async over(stream: Duplex, label: string, contexts: readonly string[]): Promise<NbdClient> {
    const address = { server: { kind: 'unix', path: label }, exportName: '' } as const;
    const { agreement, received } = await negotiate(stream, address, contexts);
    return new NbdClient(stream, agreement, label, received);
  }

  private constructor(stream: Duplex, agreement: ClientAgreement, label: string, received: Uint8Array) {
    this.agreement = agreement;
    this.#stream = stream;
    this.#label = label;
    stream.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    stream.on('close', () => this.#fail(new VarveError('IO', `${label} closed the connection`)));
    stream.on('error', (error) => this.#fail(brokenConnection(label, error)));
    this.#receive(received);
    // The events of one that broke during the handshake have been.
    if (stream.destroyed || stream.readableEnded) this.#fail(new VarveError('IO', `${label} closed the connection`));
    stream.resume();
  }

  /** Whether requests can still be sent. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Requests that wait for their replies. */
  get awaitedCount(): number {
    return this.#awaited.size;
  }

  /**
   * Sends a request, and is done when it is answered. Whether a connection that broke meanwhile had it done, nobody
   * knows.
   *
   * @throws VarveError what the server says; `IO` and `CORRUPT` where the connection is lost
   */
  async request(request: ClientRequest, reply: Pick<AwaitedReply, 'target' | 'onStatus'> = {}): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    const settle = (error?: VarveError): void =>
      error === undefined ? resolve() : reject(this.#failureOf(request, error));
    const cookie = this.#nextCookie();
    this.#awaited.set(cookie, { ...reply, offset: request.offset, settle, received: 0 });
    this.#send(request, cookie);
    await promise;
  }

  /** Says goodbye. What has not been answered fails. */
  close(): void {
    const isQuiet = this.#failure === undefined && this.#awaited.size === 0;
    if (isQuiet) this.#send({ command: commands.DISC, flags: 0, offset: 0, length: 0 }, this.#nextCookie());
    this.#fail(new VarveError('IO', `${this.#label} was closed`));
    // What is still to be sent belongs to others once its requests have failed.
    if (isQuiet) this.#stream.end();
    else this.#stream.destroy();
  }

  #send({ payload, ...request }: ClientRequest, cookieLow: number): void {
    const length = requestLength('structured');
    const bytes = new Uint8Array(length);
    encodeRequest(new DataView(bytes.buffer), 0, false, { ...request, hasMagic: true, cookieHigh: 0, cookieLow });
    if (!this.#isCorked) {
      // Requests of one turn of the event loop go out together.
      this.#isCorked = true;
      this.#stream.cork();
      process.nextTick(this.#uncork);
    }
    this.#stream.write(bytes);
    if (payload !== undefined) this.#stream.write(payload);
  }

  readonly #uncork = (): void => {
    this.#isCorked = false;
    this.#stream.uncork();
  };

  /** What the server answers, with what it was asked. */
  #failureOf({ command, length, offset }: ClientRequest, error: VarveError): VarveError {
    if (error === this.#failure) return error;
    const verb = verbs.get(command) ?? 'use';
    const what = command === commands.FLUSH ? '' : `, ${length} bytes at offset ${offset}`;
    return new VarveError(error.code, `cannot ${verb} ${this.#label}${what}: ${error.message}`, { cause: error });
  }

  #nextCookie(): number {
    do this.#cookie = (this.#cookie + 1) % 2 ** 32;
    while (this.#awaited.has(this.#cookie));
    return this.#cookie;
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      const { code, message } = error as VarveError;
      this.#fail(new VarveError(code, `cannot go on with ${this.#label}: ${message}`, { cause: error }));
      this.#stream.destroy();
    }
  }

  #fail(error: VarveError): void {
    this.#failure ??= error;
    const awaited = [...this.#awaited.values()];
    this.#awaited.clear();
    for (const { settle } of awaited) settle(this.#failure);
  }
}

async function connected({ server, tls }: NbdAddress, label: string): Promise<Duplex> {
  // TLS reads the connection by itself.
  const reading = tls === undefined ? { onread: { buffer: Buffer.alloc(readLength), callback: passOn } } : {};
  function passOn(length: number, buffer: Uint8Array): boolean {
    socket.emit('data', buffer.subarray(0, length));
    return true;
  }
  const socket: net.Socket =
    server.kind === 'unix'
      ? net.connect({ path: server.path, ...reading })
      : net.connect({ host: server.host, port: server.port, ...reading, ...tcpOptions });
  const { promise, reject, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(new Error('nobody answers')), connectTimeoutMs);
  socket.once('connect', resolve);
  socket.once('error', reject);
  try {
    await promise;
  } catch (error) {
    throw connectError(label, error as NodeJS.ErrnoException);
  } finally {
    clearTimeout(timer);
    socket.off('error', reject);
  }
  return socket;
}

function brokenConnection(label: string, cause: Error): VarveError {
  const error = systemError(`talk to ${label}`, cause);
  // What TLS has to say has no errno.
  return error instanceof VarveError
    ? error
    : new VarveError('IO', `cannot talk to ${label}: ${cause.message}`, { cause });
}

function connectError(label: string, error: NodeJS.ErrnoException): unknown {
  if (error.code === 'ECONNREFUSED') return new VarveError('NOT_FOUND', `cannot open ${label}: nobody listens there`);
  return systemError(`open ${label}`, error);
}

async function negotiate(
  socket: Duplex,
  { exportName, tls }: NbdAddress,
  contexts: readonly string[],
): Promise<{ agreement: ClientAgreement; received: Uint8Array; stream: Duplex }> {
  let stream = socket;
  let reader = new ExactReader(stream);
  const steps = negotiateAsClient({ exportName, contexts, tls: tls !== undefined });
  for (let step = steps.next(); ; ) {
    if (step.done) return { agreement: step.value, received: reader.detach(), stream };
    let answer: Uint8Array | undefined = new Uint8Array();
    if (step.value.kind === 'send') stream.write(step.value.bytes);
    else if (step.value.kind === 'read') answer = await reader.read(step.value.length);
    else {
      // What came in the open, behind the answer, is not to be taken for what comes through TLS.
      if (reader.detach().length > 0 || tls === undefined)
        throw new VarveError('CORRUPT', 'the server runs ahead of TLS');
      stream = await clientTls(stream, tls);
      reader = new ExactReader(stream);
    }
    if (answer === undefined) throw new VarveError('NOT_FOUND', 'the server closed the connection');
    step = steps.next(answer);
  }
}

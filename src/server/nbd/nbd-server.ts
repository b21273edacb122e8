import fs from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { NegotiationPolicy } from '../../protocol/nbd/negotiation.ts';
import { onceAborted } from '../once-aborted.ts';
import { removeStaleSocket } from '../remove-stale-socket.ts';
import { MemoryBudget } from './memory-budget.ts';
import { type ConnectionLimits, NbdConnection } from './nbd-connection.ts';
import type { NbdExport, NbdExports } from './nbd-export.ts';
import { negotiateOnStream } from './negotiate-on-stream.ts';
import { SocketWire } from './socket-wire.ts';
import { StreamWire } from './stream-wire.ts';

/** Where a server listens. */
export type ListenAddress =
  /** A Unix socket of its own, which only its user may connect to. */
  | { readonly kind: 'unix'; readonly path: string }
  /** Port 0 is any that is free. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A socket that listens already, as systemd hands it over. */
  | { readonly kind: 'descriptor'; readonly fd: number };

/** How a server serves. */
export interface NbdServerOptions {
  readonly exports: NbdExports;
  /** At once; who comes later is turned away. 128 where nothing is given. */
  readonly maximumClients?: number | undefined;
  /** Of one client, under way at once; it waits with what is more. 256 where nothing is given. */
  readonly maximumRequests?: number | undefined;
  /** What clients have sent and not got answered, or not taken of answers, all together, in bytes; 256 MiB. */
  readonly maximumMemory?: number | undefined;
  /** For the whole handshake, in milliseconds; 0 is for ever; 30 s where nothing is given. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** In the middle of a request, in milliseconds; 0 is for ever; 30 s where nothing is given. */
  readonly stallTimeoutMs?: number | undefined;
  /** Without a request, in milliseconds; 0 is for ever, as it is where nothing is given. */
  readonly idleTimeoutMs?: number | undefined;
  readonly tls?: NegotiationPolicy['tls'];
  /** Puts TLS over a stream, and gives it when it stands. */
  readonly startTls?: (stream: Duplex) => Promise<Duplex>;
}

/** A server that listens. Disposing shuts it down. */
export interface NbdServer extends AsyncDisposable {
  /** Where it can be reached: the first of several. */
  readonly address: ListenAddress;
  /** Clients that are connected now. */
  readonly clientCount: number;
  /**
   * Serves one client over a stream that is connected already, such as standard input and output. What is written to it
   * must be done with, or copied, when it says that it is written, as with sockets.
   */
  serve(stream: Duplex): Promise<void>;
  /** Takes no client and no request any more, answers what is under way, and closes all connections. */
  shutDown(): Promise<void>;
}

/**
 * Serves disks over NBD, on one socket or several; on none, it is for streams that are connected already.
 *
 * @throws VarveError `EXISTS` for a path that is taken, `PERMISSION`, `BUSY` for a port that is in use, `IO`
 */
export async function listenNbd(
  addresses: ListenAddress | readonly ListenAddress[],
  options: NbdServerOptions,
): Promise<NbdServer> {
  const server = new Server(options);
  try {
    for (const address of [addresses].flat()) await server.listen(address);
  } catch (error) {
    await server.shutDown();
    throw error;
  }
  return server;
}

/** So long a client has to take its last replies. */
const lastRepliesMs = 5000;
/** And, when it has them, to go. */
const farewellMs = 500;

class Server implements NbdServer {
  readonly #options: NbdServerOptions;
  readonly #limits: ConnectionLimits;
  readonly #listeners: net.Server[] = [];
  /** All that are connected, with the connection once it has come to an export. */
  readonly #clients = new Map<Duplex, NbdConnection | undefined>();
  readonly #serving = new Set<Promise<void>>();
  #address: ListenAddress | undefined;
  #isShuttingDown = false;

  constructor(options: NbdServerOptions) {
    const { maximumMemory = 2 ** 28, maximumRequests = 256, stallTimeoutMs = 30_000 } = options;
    this.#options = options;
    this.#limits = { maximumRequests, stallTimeoutMs, budget: new MemoryBudget(maximumMemory) };
  }

  get address(): ListenAddress {
    if (this.#address === undefined) throw new TypeError('the server does not listen');
    return this.#address;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  async listen(address: ListenAddress): Promise<void> {
    if (address.kind === 'unix') await removeStaleSocket(address.path);
    const server = net.createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    server.once('error', reject);
    // A socket that anybody may connect to, be it for a moment, is one moment too long.
    const mask = address.kind === 'unix' ? process.umask(0o177) : undefined;
    try {
      server.listen(listenOptions(address), resolve);
      await promise;
    } catch (error) {
      throw listenError(address, error as NodeJS.ErrnoException);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
    server.off('error', reject);
    server.on('error', (error) => log(1, 'accepting a client failed: %s', error.message));
    this.#listeners.push(server);
    const bound = server.address();
    this.#address ??=
      address.kind === 'tcp' && bound !== null && typeof bound === 'object'
        ? { ...address, port: bound.port }
        : address;
  }

  async serve(stream: Duplex): Promise<void> {
    const { handshakeTimeoutMs = 30_000 } = this.#options;
    this.#clients.set(stream, undefined);
    // Errors of a socket are followed by its end, which is what counts.
    stream.on('error', () => undefined);
    const timer = handshakeTimeoutMs > 0 ? setTimeout(() => stream.destroy(), handshakeTimeoutMs) : undefined;
    try {
      await log.scope('NBD client', () => this.#converse(stream, timer));
    } catch (error) {
      log(1, 'the connection failed: %s', (error as Error).message);
    } finally {
      clearTimeout(timer);
      this.#clients.delete(stream);
      await sentOrGone(stream);
      stream.destroy();
    }
  }

  async shutDown(): Promise<void> {
    this.#isShuttingDown = true;
    const closed = this.#listeners
      .splice(0)
      .map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const [stream, connection] of this.#clients) {
      if (connection === undefined) stream.destroy();
      else connection.shutDown();
    }
    await Promise.allSettled(this.#serving);
    await Promise.all(closed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutDown();
  }

  #accept(socket: net.Socket): void {
    const { idleTimeoutMs = 0, maximumClients = 128 } = this.#options;
    if (this.#isShuttingDown || this.#clients.size >= maximumClients) {
      log(1, 'a client was turned away: there are %d', this.#clients.size);
      socket.destroy();
      return;
    }
    if (idleTimeoutMs > 0) socket.setTimeout(idleTimeoutMs).on('timeout', () => this.#endIdle(socket));
    const serving = this.serve(socket).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  /** A disk that takes long over a request is not the client's idleness. */
  #endIdle(socket: net.Socket): void {
    const connection = this.#clients.get(socket);
    if (connection === undefined) socket.destroy();
    else if (!connection.isBusy) connection.destroy();
  }

  async #converse(socket: Duplex, timer: NodeJS.Timeout | undefined): Promise<void> {
    const { exports, startTls, tls = 'off' } = this.#options;
    const agreed = await negotiateOnStream(socket, { exports, policy: { tls }, startTls });
    clearTimeout(timer);
    if (typeof agreed === 'string') {
      log(2, 'closed: %s', agreed);
      socket.end();
      return;
    }
    const { entry, received, result, stream } = agreed;
    await using nbdExport = disposable(await entry.connect());
    const wire = SocketWire.takeOver(stream, received) ?? new StreamWire(stream, received);
    const connection = new NbdConnection(wire, nbdExport, result, this.#limits);
    this.#clients.set(socket, connection);
    if (this.#isShuttingDown) connection.shutDown();
    using _end = onceAborted(nbdExport.ended, () => connection.destroy());
    await connection.serve();
  }
}

/**
 * Until what was answered last has been taken and the client has gone, or has had time enough. What it still sends is
 * read past: closed over unread bytes, a TCP connection would take the answers with it.
 */
async function sentOrGone(stream: Duplex): Promise<void> {
  if (!stream.writableEnded || stream.destroyed) return;
  stream.resume();
  if (!stream.writableFinished) await eventOf(stream, ['finish', 'close'], lastRepliesMs);
  if (!stream.readableEnded) await eventOf(stream, ['end', 'close'], farewellMs);
}

async function eventOf(stream: Duplex, events: readonly string[], timeoutMs: number): Promise<void> {
  if (stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  for (const event of events) stream.once(event, resolve);
  await promise;
  clearTimeout(timer);
}

/** The export, to be disposed of where its connection has it for itself. */
function disposable(nbdExport: NbdExport & Partial<AsyncDisposable>): NbdExport & AsyncDisposable {
  return { ...nbdExport, [Symbol.asyncDispose]: async () => nbdExport[Symbol.asyncDispose]?.() };
}

function listenOptions(address: ListenAddress): net.ListenOptions & { fd?: number } {
  if (address.kind === 'unix') return { path: address.path };
  return address.kind === 'tcp' ? { host: address.host, port: address.port } : { fd: address.fd };
}

function listenError(address: ListenAddress, error: NodeJS.ErrnoException): unknown {
  if (address.kind === 'unix' && error.code === 'EADDRINUSE') {
    const what = fs.existsSync(address.path) ? 'it exists already; remove it if no server has it' : 'it is in use';
    return new VarveError('EXISTS', `cannot listen on ${address.path}: ${what}`, { cause: error });
  }
  if (address.kind === 'tcp' && error.code === 'EADDRINUSE') {
    const where = `${address.host}:${address.port}`;
    return new VarveError('BUSY', `cannot listen on ${where}: the port is in use; choose another`, { cause: error });
  }
  return systemError(`listen on ${address.kind === 'unix' ? address.path : 'the socket'}`, error);
}

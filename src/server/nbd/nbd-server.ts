import fs from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { NegotiationPolicy } from '../../protocol/nbd/negotiation.ts';
import { NbdConnection } from './nbd-connection.ts';
import type { NbdExport, NbdExports } from './nbd-export.ts';
import { negotiateOnStream } from './negotiate-on-stream.ts';

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
  readonly maximumClients?: number;
  /** For the whole handshake, in milliseconds; 30 s where nothing is given. */
  readonly handshakeTimeoutMs?: number;
  /** Without a request, in milliseconds; 0 is for ever, as it is where nothing is given. */
  readonly idleTimeoutMs?: number;
  readonly tls?: NegotiationPolicy['tls'];
  /** Puts TLS over a stream, and gives it when it stands. */
  readonly startTls?: (stream: Duplex) => Promise<Duplex>;
}

/** A server that listens. Disposing shuts it down. */
export interface NbdServer extends AsyncDisposable {
  /** Where it can be reached. */
  readonly address: ListenAddress;
  /** Clients that are connected now. */
  readonly clientCount: number;
  /** Serves one client over a stream that is connected already, such as standard input and output. */
  serve(stream: Duplex): Promise<void>;
  /** Takes no client and no request any more, answers what is under way, and closes all connections. */
  shutDown(): Promise<void>;
}

/**
 * Serves disks over NBD.
 *
 * @throws VarveError `EXISTS` for a path that is taken, `PERMISSION`, `BUSY` for a port that is in use, `IO`
 */
export async function listenNbd(address: ListenAddress, options: NbdServerOptions): Promise<NbdServer> {
  const server = new Server(options);
  await server.listen(address);
  return server;
}

class Server implements NbdServer {
  readonly #options: NbdServerOptions;
  readonly #server: net.Server;
  /** All that are connected, with the connection once it has come to an export. */
  readonly #clients = new Map<Duplex, NbdConnection | undefined>();
  readonly #serving = new Set<Promise<void>>();
  #address: ListenAddress | undefined;
  #isShuttingDown = false;

  constructor(options: NbdServerOptions) {
    this.#options = options;
    this.#server = net.createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  get address(): ListenAddress {
    if (this.#address === undefined) throw new TypeError('the server does not listen');
    return this.#address;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  async listen(address: ListenAddress): Promise<void> {
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    // A socket that anybody may connect to, be it for a moment, is one moment too long.
    const mask = address.kind === 'unix' ? process.umask(0o177) : undefined;
    try {
      this.#server.listen(listenOptions(address), resolve);
      await promise;
    } catch (error) {
      throw listenError(address, error as NodeJS.ErrnoException);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
    this.#server.off('error', reject);
    this.#server.on('error', (error) => log(1, 'accepting a client failed: %s', error.message));
    const bound = this.#server.address();
    this.#address =
      address.kind === 'tcp' && bound !== null && typeof bound === 'object'
        ? { ...address, port: bound.port }
        : address;
  }

  async serve(stream: Duplex): Promise<void> {
    const { handshakeTimeoutMs = 30_000 } = this.#options;
    this.#clients.set(stream, undefined);
    // Errors of a socket are followed by its end, which is what counts.
    stream.on('error', () => undefined);
    const timer = setTimeout(() => stream.destroy(), handshakeTimeoutMs);
    try {
      await log.scope('NBD client', () => this.#converse(stream, timer));
    } catch (error) {
      log(1, 'the connection failed: %s', (error as Error).message);
    } finally {
      clearTimeout(timer);
      this.#clients.delete(stream);
      if (!stream.writableFinished) stream.destroy();
    }
  }

  async shutDown(): Promise<void> {
    this.#isShuttingDown = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const [stream, connection] of this.#clients) {
      if (connection === undefined) stream.destroy();
      else connection.shutDown();
    }
    await Promise.allSettled(this.#serving);
    if (this.#address?.kind !== undefined) await closed;
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
    if (idleTimeoutMs > 0) socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    const serving = this.serve(socket).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #converse(socket: Duplex, timer: NodeJS.Timeout): Promise<void> {
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
    const connection = new NbdConnection(stream, nbdExport, result);
    this.#clients.set(socket, connection);
    if (this.#isShuttingDown) connection.shutDown();
    await connection.serve(received);
  }
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

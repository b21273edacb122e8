import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { systemError } from '../../base/varve-error.ts';
import type { FileSource } from '../files/file-source.ts';
import { plainAddress } from '../plain-address.ts';
import { ConnectionCount, type ConnectionLimits } from './connection-limits.ts';
import { answerLater, answerRequest, type ExchangeContext, type ExchangeEnd } from './http-exchange.ts';
import { type HttpTlsOptions, httpsOptions } from './https-options.ts';
import { SendingMemory } from './sending-memory.ts';

/** A request that was answered, when it was done with. */
export interface HttpEvent extends ExchangeEnd {
  /** The client's address and port. */
  readonly client: string;
  /** Empty where what came was no request. */
  readonly method: string;
  readonly milliseconds: number;
}

/** What one client may take. */
export interface HttpLimits extends ConnectionLimits {
  /** For a request to be there, and for a client to take anything at all of an answer; 15,000 where nothing is given. */
  readonly timeoutMs?: number | undefined;
  /** After which a connection without requests is closed; 10,000. */
  readonly idleMs?: number | undefined;
  /** In bytes a second over a whole answer, beyond `timeoutMs`; 4,096. Who takes less is cut off. */
  readonly minimumRate?: number | undefined;
}

/** How files are served. */
export interface HttpServerOptions {
  readonly source: FileSource;
  /** `0.0.0.0` where nothing is given. */
  readonly host?: string | undefined;
  /** 80 where nothing is given, and 443 with TLS; 0 is any that is free. */
  readonly port?: number | undefined;
  /** Serves HTTPS, and nothing else. */
  readonly tls?: HttpTlsOptions | undefined;
  readonly limits?: HttpLimits | undefined;
  /** Hears of each request once it is done with. */
  readonly onEvent?: ((event: HttpEvent) => void) | undefined;
}

/** A server that listens. Disposing ends all transfers. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  readonly connectionCount: number;
}

/**
 * Serves files over HTTP/1.1, for reading: GET and HEAD, with ranges. Lengths are always told, nothing is chunked and
 * nobody is redirected, as UEFI firmware wants it.
 *
 * @throws VarveError `PERMISSION` or `BUSY` for a port that cannot be had, `INVALID` for certificates that are none, `IO`
 */
export async function listenHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { host = '0.0.0.0', tls } = options;
  const { port = tls === undefined ? 80 : 443 } = options;
  const settings = {
    ...serverSettings(options.limits),
    ...(tls && (await httpsOptions(tls, options.limits?.timeoutMs))),
  };
  const server = tls === undefined ? http.createServer(settings) : https.createServer(settings);
  const files = new FileServer(server, options);
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    throw systemError(`serve HTTP at ${host}, port ${port}`, error);
  }
  return files;
}

const usualTimeoutMs = 15_000;
/** Of a request's line and headers together, in bytes. */
const longestHeader = 8192;

function serverSettings({ idleMs = 10_000, timeoutMs = usualTimeoutMs }: HttpLimits = {}): http.ServerOptions {
  return {
    maxHeaderSize: longestHeader,
    headersTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    connectionsCheckingInterval: Math.min(1000, timeoutMs / 2),
    keepAliveTimeout: idleMs,
    keepAliveTimeoutBuffer: 0,
  };
}

/** Requests of one connection that wait for the one before them; who sends more of them ahead is cut off. */
const mostWaiting = 32;

/** A client's connection: its requests are answered one after the other. */
interface Connection {
  readonly client: string;
  waiting: number;
  answering: Promise<void>;
}

class FileServer implements HttpServer {
  readonly #server: http.Server | https.Server;
  readonly #onEvent: HttpServerOptions['onEvent'];
  readonly #context: ExchangeContext;
  readonly #count: ConnectionCount;
  /** Those that are over the limits. */
  readonly #crowded = new WeakSet<Socket>();
  readonly #connections = new WeakMap<Socket, Connection>();
  readonly #answering = new Set<Promise<void>>();

  constructor(server: http.Server | https.Server, { limits = {}, onEvent, source, tls }: HttpServerOptions) {
    const { minimumRate = 4096, timeoutMs = usualTimeoutMs } = limits;
    this.#server = server;
    this.#onEvent = onEvent;
    this.#context = { source, memory: new SendingMemory(), pace: { minimumRate, timeoutMs }, isTls: tls !== undefined };
    this.#count = new ConnectionCount(limits);
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.on('request', (request, response) => this.#queue(request, response));
    server.on('checkContinue', (request, response) => {
      // The body that it would send is not wanted, and only the end of the connection says so.
      response.setHeader('connection', 'close');
      this.#queue(request, response);
    });
    server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.#count.count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isClosed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    this.#server.closeAllConnections();
    await Promise.all(this.#answering);
    await isClosed;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    const admitted = this.#count.admit(socket);
    if (admitted === 'served') return;
    this.#server.closeIdleConnections();
    // With TLS it would be a handshake more, and of these there are too many already.
    if (this.#context.isTls) socket.destroy();
    else this.#crowded.add(socket);
  }

  #queue(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connectionOf(socket);
    if (connection.waiting > mostWaiting) {
      socket.destroy();
      return;
    }
    connection.waiting += 1;
    const answering = connection.answering.then(async () => {
      await this.#answer(request, response, connection.client);
      connection.waiting -= 1;
      this.#answering.delete(answering);
    });
    connection.answering = answering;
    this.#answering.add(answering);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, client: string): Promise<void> {
    const startMs = performance.now();
    request.resume();
    const end = this.#crowded.has(request.socket)
      ? await answerLater(request, response)
      : await answerRequest(request, response, this.#context);
    this.#onEvent?.({ client, method: request.method ?? '', ...end, milliseconds: performance.now() - startMs });
  }

  /** Answers what is no request at all, where nothing else is on its way to the client. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const { client, waiting } = this.#connectionOf(socket);
    const status = statusByFault[error.code ?? ''] ?? 400;
    const isHeard = waiting === 0 && socket.writable && error.code !== 'ECONNRESET' && socket.bytesRead > 0;
    if (!isHeard) {
      socket.destroy();
      return;
    }
    const text = `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    socket.write(text, () => socket.destroy());
    const failure = status === 408 ? 'the request did not come to its end' : `this is no request: ${error.message}`;
    this.#onEvent?.({ client, method: '', name: '', status, bytes: 0, size: undefined, failure, milliseconds: 0 });
  }

  #connectionOf(socket: Socket): Connection {
    const before = this.#connections.get(socket);
    if (before !== undefined) return before;
    const address = plainAddress(socket.remoteAddress ?? '');
    const connection = { client: `${address} ${socket.remotePort}`, waiting: 0, answering: Promise.resolve() };
    this.#connections.set(socket, connection);
    return connection;
  }
}

const statusByFault: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

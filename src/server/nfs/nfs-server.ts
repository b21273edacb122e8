import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { mountVersion, nfsVersion } from '../../protocol/nfs/constants.ts';
import { FileHandles, handleKeyLength } from '../../protocol/nfs/file-handle.ts';
import { programs } from '../../protocol/rpc/constants.ts';
import { type PortMapping, portMapVersion, transports } from '../../protocol/rpc/port-map.ts';
import { MemoryBudget } from '../nbd/memory-budget.ts';
import { SocketWire } from '../nbd/socket-wire.ts';
import { StreamWire } from '../nbd/stream-wire.ts';
import { plainAddress } from '../plain-address.ts';
import { type MountEvent, MountProgram } from './mount-program.ts';
import type { NfsExports } from './nfs-export.ts';
import { NfsProgram } from './nfs-program.ts';
import { OpenExports } from './open-exports.ts';
import { portMapProgram } from './port-map-program.ts';
import { ReplyBuffers } from './reply-buffers.ts';
import { RpcConnection } from './rpc-connection.ts';
import { RpcDatagrams } from './rpc-datagrams.ts';
import { RpcDispatcher } from './rpc-dispatcher.ts';

/** How files are served over NFS. */
export interface NfsServerOptions {
  readonly exports: NfsExports;
  /** `0.0.0.0` where nothing is given. */
  readonly host?: string | undefined;
  /** Of NFS and MOUNT, over TCP and UDP; 2049 where nothing is given, and 0 is any that is free. */
  readonly port?: number | undefined;
  /** Where clients ask for ports, which is 111 unless they know of another one; nowhere where nothing is given. */
  readonly portMapPort?: number | undefined;
  /** 32 secret bytes that make file handles: with the same ones clients go on when the server is started again. */
  readonly key?: Uint8Array | undefined;
  /** At once; who comes later is turned away. 512 where nothing is given. */
  readonly maximumClients?: number | undefined;
  /** Of a client, under way at once; 64 where nothing is given. */
  readonly maximumRequests?: number | undefined;
  /** What answers may take, all together, in bytes; 64 MiB where nothing is given. */
  readonly maximumMemory?: number | undefined;
  /** Leaves who stops in the middle of something, in milliseconds; 0 is never; 30 s where nothing is given. */
  readonly stallTimeoutMs?: number | undefined;
  /** Leaves who asks for nothing, in milliseconds; 0 is never; 15 minutes where nothing is given. */
  readonly idleTimeoutMs?: number | undefined;
  /** Hears of who mounts what. */
  readonly onEvent?: ((event: MountEvent) => void) | undefined;
}

/** A server that listens. Disposing ends it. */
export interface NfsServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly clientCount: number;
}

const sweepMs = 1000;
/** How many free ports are tried. */
const mostTries = 8;

/**
 * Serves files over NFS version 3, for reading.
 *
 * @throws VarveError `BUSY` for a port that is in use, `PERMISSION`, `IO`
 */
export async function listenNfs(options: NfsServerOptions): Promise<NfsServer> {
  const server = new Server(options);
  try {
    await server.listen();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class Server implements NfsServer {
  readonly host: string;
  port = 0;
  readonly #options: NfsServerOptions;
  readonly #budget: MemoryBudget;
  readonly #buffers: ReplyBuffers;
  readonly #open: OpenExports;
  readonly #stack = new AsyncDisposableStack();
  readonly #connections = new Set<RpcConnection>();
  readonly #serving = new Set<Promise<void>>();

  constructor(options: NfsServerOptions) {
    this.#options = options;
    this.host = options.host ?? '0.0.0.0';
    this.#budget = new MemoryBudget(options.maximumMemory ?? 2 ** 26);
    this.#buffers = new ReplyBuffers(this.#budget);
    this.#open = this.#stack.use(new OpenExports(options.exports));
  }

  get clientCount(): number {
    return this.#connections.size;
  }

  async listen(): Promise<void> {
    const { exports, key = randomBytes(handleKeyLength), onEvent = () => undefined } = this.#options;
    const handles = new FileHandles(key);
    const mount = new MountProgram({ exports, open: this.#open, handles, onEvent });
    const dispatcher = new RpcDispatcher([new NfsProgram(this.#open, handles), mount], this.#buffers);
    this.port = await this.#listen(this.#options.port ?? 2049, dispatcher, 'NFS');
    const { portMapPort } = this.#options;
    if (portMapPort !== undefined) {
      const ports = portMapProgram(mappingsOf(this.port, portMapPort));
      await this.#listen(portMapPort, new RpcDispatcher([ports], this.#buffers), 'the port mapper');
    }
    const { idleTimeoutMs: idleMs = 900_000, stallTimeoutMs: stallMs = 30_000 } = this.#options;
    const sweeper = setInterval(() => {
      const now = performance.now();
      for (const connection of this.#connections) connection.expire(now, { idleMs, stallMs });
    }, sweepMs);
    this.#stack.defer(() => clearInterval(sweeper));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** The port that it came to: the same over TCP and UDP, which any free one need not be. */
  async #listen(port: number, dispatcher: RpcDispatcher, what: string): Promise<number> {
    for (let triesLeft = port === 0 ? mostTries : 1; ; triesLeft -= 1) {
      try {
        return await this.#listenOnce(port, dispatcher);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EADDRINUSE' && triesLeft > 1) continue;
        throw listenError(`serve ${what} at ${this.host}, port ${port}`, error as NodeJS.ErrnoException);
      }
    }
  }

  async #listenOnce(port: number, dispatcher: RpcDispatcher): Promise<number> {
    await using stack = new AsyncDisposableStack();
    const listener = net.createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      this.#accept(socket, dispatcher);
    });
    listener.listen({ host: this.host, port });
    await once(listener, 'listening');
    stack.defer(() => this.#close(listener));
    const bound = (listener.address() as net.AddressInfo).port;
    stack.use(await RpcDatagrams.listen(this.host, bound, dispatcher));
    listener.on('error', (error) => log(1, 'accepting a client failed: %s', error.message));
    this.#stack.use(stack.move());
    return bound;
  }

  async #close(listener: net.Server): Promise<void> {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    for (const connection of this.#connections) connection.destroy();
    await Promise.allSettled(this.#serving);
    await closed;
  }

  #accept(socket: net.Socket, dispatcher: RpcDispatcher): void {
    const { maximumClients = 512 } = this.#options;
    if (this.#connections.size >= maximumClients) {
      log(1, 'a client was turned away: there are %d', this.#connections.size);
      socket.destroy();
      return;
    }
    const serving = this.#serve(socket, dispatcher).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #serve(socket: net.Socket, dispatcher: RpcDispatcher): Promise<void> {
    socket.on('error', () => undefined);
    const { maximumRequests = 64 } = this.#options;
    const caller = { address: plainAddress(socket.remoteAddress ?? ''), transport: 'tcp' } as const;
    const none = new Uint8Array();
    const wire = SocketWire.takeOver(socket, none) ?? new StreamWire(socket, none);
    const connection = new RpcConnection(wire, { dispatcher, budget: this.#budget, caller, maximumRequests });
    this.#connections.add(connection);
    try {
      await connection.serve();
    } finally {
      this.#connections.delete(connection);
    }
  }
}

function mappingsOf(port: number, portMapPort: number): PortMapping[] {
  const listed = [
    { program: programs.PORTMAP, version: portMapVersion, port: portMapPort },
    { program: programs.NFS, version: nfsVersion, port },
    { program: programs.MOUNT, version: mountVersion, port },
  ];
  return listed.flatMap((each) => Object.values(transports).map((transport) => ({ ...each, transport })));
}

function listenError(doing: string, error: NodeJS.ErrnoException): unknown {
  if (error.code === 'EADDRINUSE') {
    return new VarveError('BUSY', `cannot ${doing}: the port is in use; choose another`, { cause: error });
  }
  return systemError(doing, error);
}

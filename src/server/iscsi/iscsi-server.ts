import net from 'node:net';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { ChapSecrets } from '../../protocol/iscsi/chap.ts';
import { loginStatus } from '../../protocol/iscsi/constants.ts';
import { MemoryBudget } from '../nbd/memory-budget.ts';
import type { NbdExport, NbdExports } from '../nbd/nbd-export.ts';
import { SocketWire } from '../nbd/socket-wire.ts';
import { StreamWire } from '../nbd/stream-wire.ts';
import { onceAborted } from '../once-aborted.ts';
import { plainAddress } from '../plain-address.ts';
import type { ConnectionOptions, InitiatorPort, Opened, SessionCarrier } from './connection-options.ts';
import { diskUnit } from './disk-unit.ts';
import { IscsiConnection } from './iscsi-connection.ts';
import { Session } from './session.ts';
import { type StandingSession, type Target, Targets, targetName } from './targets.ts';

/** How disks are served over iSCSI. */
export interface IscsiServerOptions {
  readonly exports: NbdExports;
  /** Who may come in; everybody where nothing is given. */
  readonly chap?: ChapSecrets | undefined;
  /** Of a logical block in bytes, 512 or 4096; 512 where nothing is given. */
  readonly blockSize?: number | undefined;
  /** At once; who comes later is turned away. 128 where nothing is given. */
  readonly maximumClients?: number | undefined;
  /** What initiators have sent and not got answered, or not taken of answers, all together, in bytes; 256 MiB. */
  readonly maximumMemory?: number | undefined;
  /** For the whole login, in milliseconds; 0 is for ever; 30 s where nothing is given. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Asks a silent initiator whether it is there, in milliseconds; 0 is never; 15 s where nothing is given. */
  readonly pingIntervalMs?: number | undefined;
  readonly onRefused?: ((login: RefusedLogin) => void) | undefined;
  /**
   * For an initiator that does not take what it is sent, or does not send what it has begun with, in milliseconds; 0 is
   * for ever; 30 s where nothing is given.
   */
  readonly stallTimeoutMs?: number | undefined;
}

/** A login that was refused. */
export interface RefusedLogin {
  /** The initiator's address. */
  readonly client: string;
  /** That it asked for; undefined where it asked for none. */
  readonly target: string | undefined;
  readonly reason: string;
}

/** A target that listens. Disposing shuts it down. */
export interface IscsiServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** What iPXE and others take to boot from: `iscsi:host::port:lun:name`. */
  rootPath(exportName: string): string;
  /** As programs that use libiscsi take it: `iscsi://host:port/name/0`. */
  uri(exportName: string): string;
  /** Takes no initiator any more, tells those that are there, and closes all connections. */
  shutDown(): Promise<void>;
}

/**
 * Serves disks over iSCSI: each export is a target with the disk as LUN 0.
 *
 * @throws VarveError `BUSY` for a port that is in use, `PERMISSION`, `IO`
 */
export async function listenIscsi(
  { host, port }: { readonly host: string; readonly port: number },
  options: IscsiServerOptions,
): Promise<IscsiServer> {
  const server = new Server(options, host);
  await server.listen(port);
  return server;
}

class Server implements IscsiServer {
  readonly host: string;
  port = 0;
  readonly #options: IscsiServerOptions;
  readonly #targets: Targets;
  readonly #budget: MemoryBudget;
  readonly #listener = net.createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  readonly #sockets = new Map<net.Socket, IscsiConnection>();
  readonly #serving = new Set<Promise<void>>();
  #nextHandle = 0;
  #isShuttingDown = false;

  constructor(options: IscsiServerOptions, host: string) {
    this.#options = options;
    this.host = host;
    this.#targets = new Targets(options.exports);
    this.#budget = new MemoryBudget(options.maximumMemory ?? 2 ** 28);
  }

  async listen(port: number): Promise<void> {
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    this.#listener.once('error', reject);
    try {
      this.#listener.listen({ host: this.host, port }, resolve);
      await promise;
    } catch (error) {
      throw listenError(`${this.host}:${port}`, error as NodeJS.ErrnoException);
    }
    this.#listener.off('error', reject);
    this.#listener.on('error', (error) => log(1, 'accepting an initiator failed: %s', error.message));
    const bound = this.#listener.address();
    this.port = typeof bound === 'object' && bound !== null ? bound.port : port;
  }

  rootPath(exportName: string): string {
    return `iscsi:${inBrackets(this.host)}::${this.port}:0:${targetName(exportName)}`;
  }

  uri(exportName: string): string {
    return `iscsi://${inBrackets(this.host)}:${this.port}/${targetName(exportName)}/0`;
  }

  async shutDown(): Promise<void> {
    this.#isShuttingDown = true;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const connection of this.#sockets.values()) connection.shutDown();
    await Promise.allSettled(this.#serving);
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutDown();
  }

  #accept(socket: net.Socket): void {
    const { maximumClients = 128 } = this.#options;
    if (this.#isShuttingDown || (this.#sockets.size >= maximumClients && !this.#makeRoom())) {
      log(1, 'an initiator was turned away: there are %d', this.#sockets.size);
      socket.destroy();
      return;
    }
    const serving = this.#serve(socket).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  /** Leaves who has not logged in for the longest time: else those who never do could keep all others out. */
  #makeRoom(): boolean {
    for (const [socket, connection] of this.#sockets) {
      if (connection.isLoggedIn) continue;
      this.#sockets.delete(socket);
      connection.destroy();
      return true;
    }
    return false;
  }

  async #serve(socket: net.Socket): Promise<void> {
    const { chap, handshakeTimeoutMs = 30_000, pingIntervalMs = 15_000, stallTimeoutMs = 30_000 } = this.#options;
    socket.on('error', () => undefined);
    // Neither is known any more once the wire has the socket's descriptor.
    const client = plainAddress(socket.remoteAddress ?? '');
    const address = `${inBrackets(plainAddress(socket.localAddress ?? this.host))}:${this.port},1`;
    await using stack = new AsyncDisposableStack();
    const options: ConnectionOptions = {
      policy: { hasTarget: (name) => this.#targets.has(name), chap },
      budget: this.#budget,
      pingIntervalMs,
      stallTimeoutMs,
      open: (port, connection) => this.#open(port, connection, stack),
      refused: (status, target) =>
        this.#options.onRefused?.({
          client,
          target,
          reason: reasonOf(status),
        }),
      targets: () => this.#targets.names().map((name) => [name, address] as const),
    };
    const none = new Uint8Array();
    const wire = SocketWire.takeOver(socket, none) ?? new StreamWire(socket, none);
    const connection = new IscsiConnection(wire, options);
    this.#sockets.set(socket, connection);
    const slow = (): void => {
      if (!connection.isLoggedIn) connection.destroy();
    };
    const timer = handshakeTimeoutMs > 0 ? setTimeout(slow, handshakeTimeoutMs) : undefined;
    try {
      await log.scope('iSCSI initiator', () => connection.serve());
    } catch (error) {
      log(1, 'the connection failed: %s', (error as Error).message);
    } finally {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    }
  }

  async #open(port: InitiatorPort, connection: SessionCarrier, stack: AsyncDisposableStack): Promise<Opened> {
    const { isid, login, sessionHandle } = port;
    this.#nextHandle = (this.#nextHandle % 0xffff) + 1;
    const handle = this.#nextHandle;
    // A second connection of a session that stands, or one that is no more.
    if (sessionHandle !== 0) return { status: loginStatus.NO_SESSION };
    if (login.target === undefined) return { session: undefined, handle };
    try {
      const found = await this.#targets.open(login.target);
      if (found === undefined) return { status: loginStatus.NOT_FOUND };
      const nexus = `${login.initiator.toLowerCase()},i,0x${isid}`;
      const { standing } = found.target;
      await endAll(standing, nexus);
      const nbdExport = await found.entry.connect();
      const dispose = async (): Promise<void> => nbdExport[Symbol.asyncDispose]?.();
      if (stack.disposed) {
        // The initiator went away meanwhile.
        await dispose();
        return { status: loginStatus.TARGET_ERROR };
      }
      stack.defer(dispose);
      await endAll(standing, nexus);
      if (stack.disposed) return { status: loginStatus.TARGET_ERROR };
      stack.use(onceAborted(nbdExport.ended, () => connection.destroy()));
      return { session: this.#enter(found.target, nbdExport, nexus, connection, stack), handle };
    } catch (error) {
      log(1, 'the disk of %s cannot be opened: %s', login.target, (error as Error).message);
      return { status: loginStatus.TARGET_ERROR };
    }
  }

  #enter(
    target: Target,
    { device }: NbdExport,
    nexus: string,
    connection: SessionCarrier,
    stack: AsyncDisposableStack,
  ): Session {
    const { sessions, standing, state } = target;
    const unit = diskUnit(device, { blockSize: this.#options.blockSize ?? 512, name: target.name, nexus, state });
    const session = new Session({
      unit,
      pdus: connection.pdus,
      parameters: connection.parameters,
      room: () => connection.room(),
      window: connection.window,
      share: connection.share,
      siblings: sessions,
    });
    const gone = Promise.withResolvers<void>();
    const own = {
      async end(): Promise<void> {
        connection.destroy();
        await gone.promise;
      },
    };
    sessions.add(session);
    standing.set(nexus, own);
    state.enter(nexus);
    stack.defer(() => {
      sessions.delete(session);
      if (standing.get(nexus) === own) standing.delete(nexus);
      state.leave(nexus);
      gone.resolve();
    });
    return session;
  }
}

/** Another may have come in while one was ended. */
async function endAll(standing: ReadonlyMap<string, StandingSession>, nexus: string): Promise<void> {
  for (let other = standing.get(nexus); other !== undefined; other = standing.get(nexus)) await other.end();
}

function inBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function listenError(where: string, error: NodeJS.ErrnoException): unknown {
  if (error.code === 'EADDRINUSE') {
    return new VarveError('BUSY', `cannot listen on ${where}: the port is in use; choose another`, { cause: error });
  }
  return systemError(`listen on ${where}`, error);
}

function reasonOf(status: number): string {
  if (status === loginStatus.AUTHENTICATION_FAILURE) return 'the user or the secret is wrong (CHAP)';
  if (status === loginStatus.NOT_FOUND) return 'there is no such target';
  return `the login is not as it has to be (status ${status.toString(16).padStart(4, '0')})`;
}

import dgram from 'node:dgram';
import { once } from 'node:events';
import { systemError } from '../../base/varve-error.ts';
import { bindToDevice } from '../../linux/bind-to-device.ts';
import { log } from '../../log/log.ts';
import { AddressPool } from '../../protocol/dhcp/address-pool.ts';
import { answerRequest, type DhcpAnswer, type DhcpContext } from '../../protocol/dhcp/answer.ts';
import { answerAsProxy, proxyPort } from '../../protocol/dhcp/answer-as-proxy.ts';
import { clientOf } from '../../protocol/dhcp/client.ts';
import { formatIpv4, type Ipv4 } from '../../protocol/dhcp/ipv4.ts';
import { numberOf } from '../../protocol/dhcp/option-codec.ts';
import { optionCodes } from '../../protocol/dhcp/option-codes.ts';
import { type DhcpPacket, decodePacket, fitPacket } from '../../protocol/dhcp/packet-codec.ts';
import type { Subnet } from '../../protocol/dhcp/subnet.ts';
import { descriptorOf } from './descriptor-of.ts';
import { type EmptyAdvertiser, openEmptyAdvertiser } from './empty-advertiser.ts';
import type { LeaseJournal } from './lease-journal.ts';

/** A packet that was answered, or why it was not. */
export interface DhcpEvent {
  readonly request: DhcpPacket;
  /** What was sent. */
  readonly reply?: DhcpPacket | undefined;
  /** The numbers of options of it that had no place in the packet, and that the client does not know. */
  readonly leftOut?: readonly number[] | undefined;
  readonly failure?: unknown;
}

/** How a server answers. */
export interface DhcpServerOptions extends Pick<DhcpContext, 'isKnown' | 'planFor'> {
  /** Our address on the interface. */
  readonly server: Ipv4;
  /** The only interface that is listened on, and sent by; every one where nothing is given. */
  readonly interfaceName?: string | undefined;
  /** 67 and 68 where nothing is given. */
  readonly ports?: { readonly server: number; readonly client: number } | undefined;
  /** What gives out addresses; without it only what to start is told, beside another server, on port 4011 too. */
  readonly leases?: { readonly subnets: readonly Subnet[]; readonly journal: LeaseJournal } | undefined;
  readonly onEvent?: ((event: DhcpEvent) => void) | undefined;
}

/** A server that answers. Disposing closes its sockets. */
export interface DhcpServer extends AsyncDisposable {
  /** Gives out addresses of these networks from now on, by the sockets that are open; leases stay, what was only offered does not. */
  setSubnets(subnets: readonly Subnet[]): void;
}

/** Answers that wait for the disk; who asks meanwhile asks again. */
const maximumWaiting = 4096;
/** Bytes; what comes while the disk or another program has the processors waits, a second of a room's questions. */
const receiveBufferSize = 2 ** 20;
const usualPorts = { server: 67, client: 68 } as const;

/**
 * Answers DHCP requests that come by one interface.
 *
 * @throws VarveError `PERMISSION` or `BUSY` for ports that cannot be had, `IO`
 */
export async function listenDhcp(options: DhcpServerOptions): Promise<DhcpServer> {
  const server = new Server(options);
  try {
    await server.listen(options.ports?.server ?? usualPorts.server);
    if (options.leases === undefined) await server.listen(proxyPort);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class Server implements DhcpServer {
  readonly #options: DhcpServerOptions;
  #pools: readonly AddressPool[] = [];
  readonly #sockets: dgram.Socket[] = [];
  readonly #advertiser: EmptyAdvertiser | undefined;
  #waitingCount = 0;

  constructor(options: DhcpServerOptions) {
    this.#options = options;
    if (options.interfaceName !== undefined) this.#advertiser = openEmptyAdvertiser(options.interfaceName);
    this.setSubnets(options.leases?.subnets ?? []);
  }

  setSubnets(subnets: readonly Subnet[]): void {
    const pools = subnets.map((subnet) => new AddressPool(subnet));
    for (const lease of this.#options.leases?.journal.leases() ?? []) {
      pools.find((pool) => pool.contains(lease.address))?.restore(lease);
    }
    this.#pools = pools;
  }

  async listen(port: number): Promise<void> {
    const { interfaceName } = this.#options;
    const socket = dgram.createSocket({
      ...{ type: 'udp4', reuseAddr: interfaceName !== undefined },
      recvBufferSize: receiveBufferSize,
    });
    this.#sockets.push(socket);
    try {
      const isListening = once(socket, 'listening');
      socket.bind(port);
      await isListening;
    } catch (error) {
      throw systemError(`answer DHCP at port ${port}`, error);
    }
    if (interfaceName !== undefined) bindToDevice(descriptorOf(socket), interfaceName);
    socket.setBroadcast(true);
    socket.on('error', () => {});
    socket.on('message', (bytes, sender) => {
      // Port 0 is nobody's: it cannot be answered.
      if (sender.port !== 0) void this.#take(socket, port, bytes, sender);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.close();
    this.#advertiser?.[Symbol.dispose]();
  }

  async #take(socket: dgram.Socket, port: number, bytes: Uint8Array, sender: dgram.RemoteInfo): Promise<void> {
    let request: DhcpPacket;
    try {
      request = decodePacket(bytes);
    } catch {
      return;
    }
    if (this.#waitingCount >= maximumWaiting) return;
    this.#waitingCount += 1;
    try {
      const answer = this.#answer(request, port);
      if (answer.change !== undefined) await this.#options.leases?.journal.append(answer.change);
      const leftOut = this.#send(socket, request, answer, sender);
      this.#options.onEvent?.({ request, reply: answer.reply?.packet, leftOut });
    } catch (failure) {
      this.#options.onEvent?.({ request, failure });
    } finally {
      this.#waitingCount -= 1;
    }
  }

  #answer(request: DhcpPacket, port: number): DhcpAnswer {
    const { server, leases, isKnown, planFor } = this.#options;
    if (leases === undefined) return answerAsProxy(request, port, { server, planFor });
    return answerRequest(request, { server, isKnown, planFor, nowMs: Date.now(), pools: this.#pools });
  }

  /** Gives the options that had no place. */
  #send(
    socket: dgram.Socket,
    request: DhcpPacket,
    { reply }: DhcpAnswer,
    sender: dgram.RemoteInfo,
  ): readonly number[] | undefined {
    if (reply === undefined || !this.#sockets.includes(socket)) return undefined;
    const { bytes, leftOut } = fitPacket(
      reply.packet,
      numberOf(request.options.get(optionCodes.MAXIMUM_MESSAGE_SIZE), 2),
    );
    const { address, port } = reply.destination;
    const { ports = usualPorts } = this.#options;
    const isToSender = address === 'sender';
    const target = typeof address === 'number' ? formatIpv4(address) : isToSender ? sender.address : '255.255.255.255';
    const ourPort = port === usualPorts.server ? ports.server : ports.client;
    socket.send(bytes, isToSender ? sender.port : ourPort, target, () => {});
    // A relay's clients are not on this network.
    if (request.relayAddress === 0 && clientOf(request).isIpxe) this.#advertiser?.advertiseTo(request.hardwareAddress);
    if (leftOut.length === 0) return undefined;
    log(1, 'an answer of DHCP has no place for options %s', leftOut.join(', '));
    return leftOut;
  }
}

import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { systemError } from '../../base/varve-error.ts';
import { bindToDevice } from '../../linux/bind-to-device.ts';
import type { Ipv4 } from '../../protocol/dhcp/ipv4.ts';
import { encodeValue, numberOf } from '../../protocol/dhcp/option-codec.ts';
import { messageTypes, optionCodes } from '../../protocol/dhcp/option-codes.ts';
import { type DhcpPacket, decodePacket, encodePacket } from '../../protocol/dhcp/packet-codec.ts';
import { descriptorOf } from './descriptor-of.ts';

/** Where to look for DHCP servers, and how long. */
export interface FindServersOptions {
  readonly interfaceName: string;
  /** Of the interface: `52:54:00:12:34:56`. */
  readonly hardwareAddress: string;
  /** 67 and 68 where nothing is given. */
  readonly ports?: { readonly server: number; readonly client: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Servers look first whether an address is in use that they offer, for up to three seconds. */
const askAfterMs = [0, 1500] as const;
const waitMs = 4500;

/**
 * The servers that offer addresses on an interface, found by asking as a client does. It ends soon after the first answer: no
 * offer is taken, and what was offered is free again after moments.
 *
 * @returns their addresses; none where nobody answers
 * @throws VarveError `BUSY` where a DHCP client has the port for itself, `PERMISSION`, `IO`
 */
export async function findDhcpServers(options: FindServersOptions): Promise<Ipv4[]> {
  const { interfaceName, ports = { server: 67, client: 68 } } = options;
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  try {
    const isListening = once(socket, 'listening');
    socket.bind(ports.client);
    await isListening;
    bindToDevice(descriptorOf(socket), interfaceName);
    socket.setBroadcast(true);
    return await ask(socket, ports.server, options);
  } catch (error) {
    throw systemError(`look for DHCP servers at port ${ports.client} of ${interfaceName}`, error);
  } finally {
    socket.close();
  }
}

async function ask(socket: dgram.Socket, port: number, options: FindServersOptions): Promise<Ipv4[]> {
  const transaction = randomInt(2 ** 32);
  const found = new Set<Ipv4>();
  const answered = Promise.withResolvers<void>();
  socket.on('error', answered.reject);
  socket.on('message', (bytes) => {
    const server = offerOf(bytes, transaction);
    if (server === undefined) return;
    found.add(server);
    // Others may be a moment later.
    void setTimeout(200).then(() => answered.resolve());
  });
  const question = encodePacket(discover(transaction, options.hardwareAddress));
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const waiting = askAfterMs.map(async (delay) => {
    await setTimeout(delay, undefined, { signal });
    socket.send(question, port, '255.255.255.255', (error) => error && answered.reject(error));
  });
  try {
    const asked = Promise.all([...waiting, setTimeout(waitMs, undefined, { signal })]);
    await Promise.race([answered.promise, asked]);
  } finally {
    stop.abort();
    await Promise.allSettled(waiting);
  }
  return [...found];
}

/** Whose offer a packet is; undefined for others. */
function offerOf(bytes: Uint8Array, transaction: number): Ipv4 | undefined {
  let packet: DhcpPacket;
  try {
    packet = decodePacket(bytes);
  } catch {
    return undefined;
  }
  const { options } = packet;
  const type = numberOf(options.get(optionCodes.MESSAGE_TYPE), 1);
  if (packet.operation !== 2 || packet.transaction !== transaction || type !== messageTypes.OFFER) return undefined;
  // A proxy offers what to start, and no address.
  return packet.yourAddress === 0 ? undefined : numberOf(options.get(optionCodes.SERVER_IDENTIFIER), 4);
}

function discover(transaction: number, hardwareAddress: string): DhcpPacket {
  return {
    ...{ operation: 1, hardwareType: 1, hops: 0, seconds: 0, transaction },
    // Answers go to everybody: this machine has an address already and would drop what is for another one.
    flags: 0x8000,
    ...{ clientAddress: 0, yourAddress: 0, serverAddress: 0, relayAddress: 0, serverName: '', file: '' },
    hardwareAddress: Uint8Array.from(hardwareAddress.split(':'), (digits) => Number.parseInt(digits, 16)),
    options: new Map([
      [optionCodes.MESSAGE_TYPE, encodeValue.u8(messageTypes.DISCOVER)],
      [optionCodes.PARAMETER_REQUEST_LIST, Uint8Array.of(optionCodes.SUBNET_MASK, optionCodes.ROUTER)],
    ]),
  };
}

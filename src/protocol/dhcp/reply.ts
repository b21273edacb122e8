import type { BootPlan } from './boot-options.ts';
import type { Ipv4 } from './ipv4.ts';
import { encodeValue, type Options } from './option-codec.ts';
import { messageTypes, optionCodes } from './option-codes.ts';
import type { DhcpPacket } from './packet-codec.ts';

/** Where an answer goes; `broadcast` is everybody on the interface that the request came by. */
export interface Destination {
  readonly address: Ipv4 | 'broadcast' | 'sender';
  readonly port: number;
}

/** What an answer is made of. */
export interface ReplyParts {
  /** One of `messageTypes`. */
  readonly type: number;
  /** Our own address. */
  readonly server: Ipv4;
  readonly yourAddress: Ipv4;
  readonly options: Options;
  readonly plan: BootPlan | undefined;
}

const serverPort = 67;
const clientPort = 68;
const broadcastFlag = 0x8000;
const longestFileName = 127;

/** The answer to `request`. Options stand in the order that the client asked for. Source: RFC 2131, table 3. */
export function makeReply(request: DhcpPacket, { type, server, yourAddress, options, plan }: ReplyParts): DhcpPacket {
  const isRefusal = type === messageTypes.NAK;
  const all: Options = new Map([
    [optionCodes.MESSAGE_TYPE, encodeValue.u8(type)],
    [optionCodes.SERVER_IDENTIFIER, encodeValue.addresses(server)],
  ]);
  for (const code of request.options.get(optionCodes.PARAMETER_REQUEST_LIST) ?? []) {
    const value = options.get(code);
    if (value !== undefined) all.set(code, value);
  }
  for (const [code, value] of options) all.set(code, value);
  // Both go back as they came. Source: RFC 6842; RFC 3046, section 2.2.
  for (const code of [optionCodes.CLIENT_IDENTIFIER, optionCodes.RELAY_AGENT]) {
    const value = request.options.get(code);
    if (value !== undefined) all.set(code, value);
  }
  const file = plan?.fileName ?? '';
  return {
    operation: 2,
    hardwareType: request.hardwareType,
    hops: 0,
    transaction: request.transaction,
    seconds: 0,
    flags: isRefusal && request.relayAddress !== 0 ? request.flags | broadcastFlag : request.flags,
    clientAddress: type === messageTypes.ACK ? request.clientAddress : 0,
    yourAddress,
    serverAddress: plan?.serverAddress ?? 0,
    relayAddress: request.relayAddress,
    hardwareAddress: request.hardwareAddress,
    serverName: '',
    // What is longer stands in option 67 alone.
    file: Buffer.byteLength(file) <= longestFileName ? file : '',
    options: all,
  };
}

/**
 * Source: RFC 2131, section 4.1. Where a client has no address yet we broadcast, whatever its flag says: to send to it
 * alone takes an entry in the kernel's table of neighbours.
 */
export function destinationOf(request: DhcpPacket, type: number): Destination {
  if (request.relayAddress !== 0) return { address: request.relayAddress, port: serverPort };
  if (type !== messageTypes.NAK && request.clientAddress !== 0) {
    return { address: request.clientAddress, port: clientPort };
  }
  return { address: 'broadcast', port: clientPort };
}

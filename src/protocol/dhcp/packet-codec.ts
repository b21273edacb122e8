import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import type { Ipv4 } from './ipv4.ts';
import { decodeOptions, encodeOption, numberOf, type Options } from './option-codec.ts';
import { optionCodes as codes } from './option-codes.ts';

// A packet of DHCP, big-endian. Source: RFC 2131, section 2; RFC 951.
//
//     0  u8   op: 1 asks, 2 answers          12  u32  ciaddr: the client's address, which it uses
//     1  u8   htype: 1 is Ethernet           16  u32  yiaddr: the client's address, which it gets
//     2  u8   hlen                           20  u32  siaddr: the server of the next step
//     3  u8   hops                           24  u32  giaddr: the relay
//     4  u32  xid                            28  16   chaddr
//     8  u16  secs                           44  64   sname
//    10  u16  flags: 0x8000 is broadcast    108  128  file
//                                           236  u32  0x63825363, then options
//
// Option 52 says that options go on in `file` (1), `sname` (2) or both (3), in this order.

const magic = 0x63825363;
const headerLength = 240;
const serverNameOffset = 44;
const serverNameLength = 64;
const fileOffset = 108;
const fileLength = 128;
/** BOOTP's packets have 300 bytes, and relays drop shorter ones. Source: RFC 1542, section 2.1. */
const leastLength = 300;
/** What every client takes. Source: RFC 2131, section 2 (576 bytes with the headers of IP and UDP). */
const defaultLength = 548;
const mostLength = 1472;
const ipAndUdpLength = 28;

/** A packet, its options put together. */
export interface DhcpPacket {
  readonly operation: 1 | 2;
  readonly hardwareType: number;
  readonly hops: number;
  readonly transaction: number;
  readonly seconds: number;
  readonly flags: number;
  readonly clientAddress: Ipv4;
  readonly yourAddress: Ipv4;
  readonly serverAddress: Ipv4;
  readonly relayAddress: Ipv4;
  /** 16 bytes at most. */
  readonly hardwareAddress: Uint8Array;
  readonly serverName: string;
  readonly file: string;
  readonly options: Options;
}

/**
 * @param bytes of which the values of options may stay views
 * @throws VarveError `CORRUPT`
 */
export function decodePacket(bytes: Uint8Array): DhcpPacket {
  const reader = new ByteReader(bytes, 'DHCP packet');
  const [operation, hardwareType, length, hops] = [reader.u8(), reader.u8(), reader.u8(), reader.u8()];
  if (operation !== 1 && operation !== 2) throw new VarveError('CORRUPT', `DHCP packet: operation ${operation}`);
  if (length > 16) throw new VarveError('CORRUPT', `DHCP packet: a hardware address of ${length} bytes`);
  const [transaction, seconds, flags] = [reader.u32be(), reader.u16be(), reader.u16be()];
  const addresses = [reader.u32be(), reader.u32be(), reader.u32be(), reader.u32be()] as const;
  const hardwareAddress = reader.bytes(16).subarray(0, length);
  const [serverName, file] = [reader.bytes(serverNameLength), reader.bytes(fileLength)];
  if (reader.u32be() !== magic) throw new VarveError('CORRUPT', 'DHCP packet: it has no options');
  const options = decodeOptions(reader.bytes(reader.remaining));
  const overload = numberOf(options.get(codes.OVERLOAD), 1) ?? 0;
  if ((overload & 1) !== 0) decodeOptions(file, options);
  if ((overload & 2) !== 0) decodeOptions(serverName, options);
  const [clientAddress, yourAddress, serverAddress, relayAddress] = addresses;
  return {
    ...{ operation, hardwareType, hops, transaction, seconds, flags },
    ...{ clientAddress, yourAddress, serverAddress, relayAddress, hardwareAddress, options },
    serverName: (overload & 2) === 0 ? fieldText(serverName) : '',
    file: (overload & 1) === 0 ? fieldText(file) : '',
  };
}

/** A packet's bytes, and the numbers of the options that have no place in it. */
export interface EncodedPacket {
  readonly bytes: Uint8Array;
  readonly leftOut: readonly number[];
}

/** As `fitPacket`, where all options are known to have their place. */
export function encodePacket(packet: DhcpPacket, maximumLength?: number): Uint8Array {
  return fitPacket(packet, maximumLength).bytes;
}

/**
 * The packet's bytes: options in the order of its map, 82 last. What does not fit goes to the fields `file` and `sname`
 * where they are empty, and is left out where they are full too: first what a client can do without.
 *
 * @param maximumLength as option 57 of the client has it: with the headers of IP and UDP, in bytes
 */
export function fitPacket(packet: DhcpPacket, maximumLength?: number): EncodedPacket {
  const limit = Math.min(Math.max((maximumLength ?? 0) - ipAndUdpLength, defaultLength), mostLength);
  const writer = new ByteWriter(limit);
  putHeader(writer, packet);
  const places = fitOptions(packet, limit - headerLength);
  writer.put(places.options);
  const end = writer.position;
  if (places.file.length > 0) writer.bytes.set(places.file, fileOffset);
  if (places.serverName.length > 0) writer.bytes.set(places.serverName, serverNameOffset);
  return { bytes: writer.bytes.subarray(0, Math.max(end, leastLength)), leftOut: places.leftOut };
}

function putHeader(writer: ByteWriter, packet: DhcpPacket): void {
  for (const byte of [packet.operation, packet.hardwareType, packet.hardwareAddress.length, packet.hops]) {
    writer.u8(byte);
  }
  writer.u32be(packet.transaction);
  writer.u16be(packet.seconds);
  writer.u16be(packet.flags);
  const { clientAddress, yourAddress, serverAddress, relayAddress } = packet;
  for (const address of [clientAddress, yourAddress, serverAddress, relayAddress]) writer.u32be(address);
  writer.put(packet.hardwareAddress);
  for (const [text, offset, length] of fieldsOf(packet)) {
    // A zero byte has to follow the text.
    if (text.length < length) writer.bytes.set(text, offset);
  }
  writer.seek(headerLength - 4);
  writer.u32be(magic);
}

function fieldsOf({ serverName, file }: DhcpPacket): [Uint8Array, number, number][] {
  return [
    [Buffer.from(serverName), serverNameOffset, serverNameLength],
    [Buffer.from(file), fileOffset, fileLength],
  ];
}

interface Places {
  readonly options: Uint8Array;
  readonly file: Uint8Array;
  readonly serverName: Uint8Array;
  readonly leftOut: readonly number[];
}

/**
 * What gets its place first: what makes it an answer, an address and a way to others, then what is started and what that
 * needs to know, each group in its order; then all else as it comes, and last what only has the client wait for less.
 */
const ranks: ReadonlyMap<number, number> = new Map(
  [
    [codes.MESSAGE_TYPE, codes.SERVER_IDENTIFIER, codes.LEASE_TIME, codes.SUBNET_MASK, codes.CLIENT_IDENTIFIER],
    [codes.VENDOR_CLASS, codes.MACHINE_IDENTIFIER, codes.BOOT_FILE_NAME, codes.ROOT_PATH, codes.VENDOR_SPECIFIC],
    [codes.ROUTER, codes.DOMAIN_NAME_SERVER, codes.TFTP_SERVER_NAME, codes.CONFIGURATION_FILE, codes.PATH_PREFIX],
    [codes.INITIATOR_NAME],
  ]
    .flat()
    .map((code, rank) => [code, rank]),
);
const othersRank = ranks.size;
const lastRanks: ReadonlyMap<number, number> = new Map(
  [
    codes.HOST_NAME,
    codes.DOMAIN_NAME,
    codes.IPXE,
    codes.BROADCAST_ADDRESS,
    codes.RENEWAL_TIME,
    codes.REBINDING_TIME,
  ].map((code, rank) => [code, othersRank + 1 + rank]),
);

function rankOf(code: number): number {
  return ranks.get(code) ?? lastRanks.get(code) ?? othersRank;
}

/** Source: RFC 2131, section 4.1; RFC 3046, section 2.1 (82 stands last, and is never in other fields). */
function fitOptions({ options, file, serverName }: DhcpPacket, room: number): Places {
  const relay = options.get(codes.RELAY_AGENT);
  const last = relay === undefined ? new Uint8Array() : encodeOption(codes.RELAY_AGENT, relay);
  const overloadLength = 3;
  const fields = [
    { flag: 0, room: room - last.length - 1 - overloadLength, parts: [] as Uint8Array[] },
    { flag: 1, room: file === '' ? fileLength - 1 : 0, parts: [] as Uint8Array[] },
    { flag: 2, room: serverName === '' ? serverNameLength - 1 : 0, parts: [] as Uint8Array[] },
  ];
  const asked = [...options.keys()].filter((code) => code !== codes.RELAY_AGENT && code !== codes.OVERLOAD);
  const placed = new Map<number, { readonly encoded: Uint8Array; readonly parts: Uint8Array[] }>();
  for (const code of asked.toSorted((one, other) => rankOf(one) - rankOf(other))) {
    const encoded = encodeOption(code, options.get(code)!);
    const field = fields.find((place) => place.room >= encoded.length);
    if (field === undefined) continue;
    field.room -= encoded.length;
    placed.set(code, { encoded, parts: field.parts });
  }
  for (const code of asked) {
    const place = placed.get(code);
    place?.parts.push(place.encoded);
  }
  const overload = fields.reduce((sum, { flag, parts }) => sum + (parts.length > 0 ? flag : 0), 0);
  if (overload > 0) fields[0]!.parts.push(Uint8Array.of(codes.OVERLOAD, 1, overload));
  const end = Uint8Array.of(codes.END);
  const [main, inFile, inName] = fields.map(({ parts }) => parts);
  return {
    options: Buffer.concat([...main!, last, end]),
    file: inFile!.length > 0 ? Buffer.concat([...inFile!, end]) : new Uint8Array(),
    serverName: inName!.length > 0 ? Buffer.concat([...inName!, end]) : new Uint8Array(),
    leftOut: asked.filter((code) => !placed.has(code)),
  };
}

function fieldText(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(field.subarray(0, end === -1 ? field.length : end)).toString('latin1');
}

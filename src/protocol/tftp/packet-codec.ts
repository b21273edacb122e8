import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

// Packets of TFTP. All numbers are big-endian; texts end with a zero byte.
// Source: RFC 1350, section 5; RFC 2347 (options and OACK).
//
//   RRQ, WRQ   u16 1 or 2, file name, mode, and for each option its name and its value
//   DATA       u16 3, u16 block, up to blksize bytes: fewer in the last one
//   ACK        u16 4, u16 block
//   ERROR      u16 5, u16 code, message
//   OACK       u16 6, and for each option its name and its value

/** What a packet's first number says it is. */
const opcodes = { RRQ: 1, WRQ: 2, DATA: 3, ACK: 4, ERROR: 5, OACK: 6 } as const;

/** Source: RFC 1350, appendix I; RFC 2347 (8). */
export const errorCodes = {
  UNDEFINED: 0,
  FILE_NOT_FOUND: 1,
  ACCESS_VIOLATION: 2,
  DISK_FULL: 3,
  ILLEGAL_OPERATION: 4,
  UNKNOWN_TRANSFER: 5,
  FILE_EXISTS: 6,
  NO_SUCH_USER: 7,
  OPTION_REFUSED: 8,
} as const;

/** Bytes of a data packet before its data. */
export const dataHeaderLength = 4;

/** A request is one packet, of 512 bytes at most. Source: RFC 2347. Some clients send a little more. */
const maximumRequestLength = 2048;
const maximumOptionCount = 32;

/** What a client asks for in its first packet. */
export interface TftpRequest {
  readonly kind: 'read' | 'write';
  readonly fileName: string;
  /** In small letters: `octet`, `netascii`, or what the client made up. */
  readonly mode: string;
  /** By their names in small letters; of several of one name the first. */
  readonly options: ReadonlyMap<string, string>;
}

/** What a client sends to its transfer. */
export type TransferPacket =
  | { readonly kind: 'acknowledgement'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'other' };

/**
 * The first packet of a client.
 *
 * @throws VarveError `CORRUPT`, and `UNSUPPORTED` for a packet that is no request
 */
export function decodeRequest(bytes: Uint8Array): TftpRequest {
  const reader = new ByteReader(bytes, 'TFTP request');
  const opcode = reader.u16be();
  if (opcode !== opcodes.RRQ && opcode !== opcodes.WRQ) {
    throw new VarveError('UNSUPPORTED', `TFTP request: operation ${opcode} does not begin a transfer`);
  }
  if (bytes.length > maximumRequestLength) {
    throw new VarveError('CORRUPT', `TFTP request: it has ${bytes.length} bytes, over ${maximumRequestLength}`);
  }
  const fileName = text(reader, bytes);
  const mode = text(reader, bytes).toLowerCase();
  return { kind: opcode === opcodes.RRQ ? 'read' : 'write', fileName, mode, options: optionsOf(reader, bytes) };
}

/** What a client sends once its transfer runs. Hot: bench/netboot.ts. */
export function decodeTransferPacket(bytes: Uint8Array): TransferPacket {
  if (bytes.length < 4 || bytes[0] !== 0) return { kind: 'other' };
  const number = (bytes[2]! << 8) | bytes[3]!;
  if (bytes[1] === opcodes.ACK) return { kind: 'acknowledgement', block: number };
  if (bytes[1] !== opcodes.ERROR) return { kind: 'other' };
  const end = bytes.indexOf(0, 4);
  const message = Buffer.from(bytes.subarray(4, end === -1 ? bytes.length : end)).toString('utf8');
  return { kind: 'error', code: number, message: message.slice(0, 200) };
}

export function encodeRequest({ kind, fileName, mode, options }: TftpRequest): Uint8Array {
  return encodeTexts(kind === 'read' ? opcodes.RRQ : opcodes.WRQ, [fileName, mode, ...[...options].flat()]);
}

/** The options that the server agrees to, each with the value it agrees to. */
export function encodeOptionAcknowledgement(options: ReadonlyMap<string, string>): Uint8Array {
  return encodeTexts(opcodes.OACK, [...options].flat());
}

export function encodeAcknowledgement(block: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u16be(opcodes.ACK);
  writer.u16be(block % 0x1_0000);
  return writer.bytes;
}

/** @param code one of `errorCodes` */
export function encodeError(code: number, message: string): Uint8Array {
  const bytes = Buffer.from(message.replaceAll('\0', ' ').slice(0, 300));
  const writer = new ByteWriter(5 + bytes.length);
  writer.u16be(opcodes.ERROR);
  writer.u16be(code);
  writer.put(bytes);
  return writer.bytes;
}

/** Writes the header of block `number`, counted from 1 without an end: after 65,535 comes 0 on the wire. */
export function putDataHeader(target: Uint8Array, number: number): void {
  target[0] = 0;
  target[1] = opcodes.DATA;
  target[2] = (number >>> 8) & 0xff;
  target[3] = number & 0xff;
}

function encodeTexts(opcode: number, texts: readonly string[]): Uint8Array {
  const bytes = Buffer.from(texts.map((part) => `${part}\0`).join(''));
  const writer = new ByteWriter(2 + bytes.length);
  writer.u16be(opcode);
  writer.put(bytes);
  return writer.bytes;
}

function optionsOf(reader: ByteReader, bytes: Uint8Array): Map<string, string> {
  const options = new Map<string, string>();
  // Some clients fill their packet up with zeros.
  while (reader.remaining > 0 && bytes[reader.position] !== 0 && options.size < maximumOptionCount) {
    const name = text(reader, bytes).toLowerCase();
    const value = text(reader, bytes);
    if (!options.has(name)) options.set(name, value);
  }
  return options;
}

function text(reader: ByteReader, bytes: Uint8Array): string {
  const end = bytes.indexOf(0, reader.position);
  const value = reader.utf8(end === -1 ? Number.POSITIVE_INFINITY : end - reader.position);
  reader.skip(1);
  return value;
}

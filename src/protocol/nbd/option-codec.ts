import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import {
  infoTypes,
  initMagic,
  maximumStringLength,
  optionMagic,
  optionReplies,
  optionReplyMagic,
} from './constants.ts';

// Option haggling. All numbers are big-endian. Source: proto.md, "Newstyle negotiation", "Option types".
//
//   greeting   u64 initMagic, u64 optionMagic, u16 handshake flags     answered by: u32 client flags
//   option     u64 optionMagic, u32 option, u32 length, data
//   reply      u64 optionReplyMagic, u32 option, u32 reply type, u32 length, data

/** Bytes of an option before its data. */
export const optionHeaderLength = 16;
const replyHeaderLength = 20;

/** The head of an option that a client sends. */
export interface OptionHeader {
  readonly hasMagic: boolean;
  readonly option: number;
  /** Of the data that follows, in bytes. */
  readonly length: number;
}

/** What `INFO` and `GO` ask for. */
export interface InfoRequest {
  readonly name: string;
  /** Numbers of `infoTypes`, and unknown ones. */
  readonly types: readonly number[];
}

/** What `LIST_META_CONTEXT` and `SET_META_CONTEXT` ask for. */
export interface ContextRequest {
  readonly name: string;
  readonly queries: readonly string[];
}

/** The limits of requests to an export, in bytes. */
export interface BlockSizes {
  readonly minimum: number;
  readonly preferred: number;
  /** Of what a read or a write carries. */
  readonly maximum: number;
}

export function encodeGreeting(flags: number): Uint8Array {
  const writer = new ByteWriter(18);
  writer.opaque64be(initMagic);
  writer.opaque64be(optionMagic);
  writer.u16be(flags);
  return writer.bytes;
}

/** @param bytes `optionHeaderLength` of them */
export function decodeOptionHeader(bytes: Uint8Array): OptionHeader {
  const reader = new ByteReader(bytes, 'NBD option');
  return { hasMagic: reader.opaque64be() === optionMagic, option: reader.u32be(), length: reader.u32be() };
}

export function encodeOption(option: number, data: Uint8Array): Uint8Array {
  const writer = new ByteWriter(optionHeaderLength + data.length);
  writer.opaque64be(optionMagic);
  writer.u32be(option);
  writer.u32be(data.length);
  writer.put(data);
  return writer.bytes;
}

export function encodeOptionReply(option: number, type: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  const writer = new ByteWriter(replyHeaderLength + data.length);
  writer.opaque64be(optionReplyMagic);
  writer.u32be(option);
  writer.u32be(type);
  writer.u32be(data.length);
  writer.put(data);
  return writer.bytes;
}

/**
 * The data of `INFO` and `GO`: u32 length of the name, name, u16 count, u16 types.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeInfoRequest(data: Uint8Array): InfoRequest {
  const reader = new ByteReader(data, 'NBD option');
  const name = string(reader);
  const types = Array.from({ length: Math.min(reader.u16be(), data.length) }, () => reader.u16be());
  requireEnd(reader);
  return { name, types };
}

export function encodeInfoRequest({ name, types }: InfoRequest): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  const writer = new ByteWriter(6 + bytes.length + 2 * types.length);
  writer.u32be(bytes.length);
  writer.put(bytes);
  writer.u16be(types.length);
  for (const type of types) writer.u16be(type);
  return writer.bytes;
}

/**
 * The data of `LIST_META_CONTEXT` and `SET_META_CONTEXT`: u32 length of the name, name, u32 count, and for each query
 * u32 length and query.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeContextRequest(data: Uint8Array): ContextRequest {
  const reader = new ByteReader(data, 'NBD option');
  const name = string(reader);
  const count = reader.u32be();
  const queries: string[] = [];
  // Each takes at least its length, so what was sent bounds the loop.
  for (let index = 0; index < count; index += 1) queries.push(string(reader));
  requireEnd(reader);
  return { name, queries };
}

export function encodeContextRequest({ name, queries }: ContextRequest): Uint8Array {
  const strings = [name, ...queries].map((text) => new TextEncoder().encode(text));
  const writer = new ByteWriter(8 + strings.reduce((sum, { length }) => sum + length, 4 * queries.length));
  for (const [index, bytes] of strings.entries()) {
    writer.u32be(bytes.length);
    writer.put(bytes);
    if (index === 0) writer.u32be(queries.length);
  }
  return writer.bytes;
}

/** Text as the protocol has it: without NUL, and cut off after `maximumStringLength` bytes, between characters. */
export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(maximumStringLength);
  const { written } = new TextEncoder().encodeInto(text.replaceAll('\0', ' '), bytes);
  return bytes.subarray(0, written);
}

/** The data of a reply `SERVER`: an export's name, and a description. */
export function encodeServerReply(name: string, description = ''): Uint8Array {
  const [bytes, text] = [new TextEncoder().encode(name), encodeText(description)];
  const writer = new ByteWriter(4 + bytes.length + text.length);
  writer.u32be(bytes.length);
  writer.put(bytes);
  writer.put(text);
  return writer.bytes;
}

/** The data of a reply `META_CONTEXT`. */
export function encodeContextReply(id: number, name: string): Uint8Array {
  const writer = new ByteWriter(4 + Buffer.byteLength(name));
  writer.u32be(id);
  writer.utf8(name);
  return writer.bytes;
}

/** The data of a reply `INFO` of type `EXPORT`. */
export function encodeExportInfo(size: number, flags: number): Uint8Array {
  const writer = new ByteWriter(12);
  writer.u16be(infoTypes.EXPORT);
  writer.u64be(size);
  writer.u16be(flags);
  return writer.bytes;
}

/** The data of a reply `INFO` that is text: `NAME`, `DESCRIPTION`. */
export function encodeTextInfo(type: number, text: string): Uint8Array {
  const bytes = encodeText(text);
  const writer = new ByteWriter(2 + bytes.length);
  writer.u16be(type);
  writer.put(bytes);
  return writer.bytes;
}

/** The data of a reply `INFO` of type `BLOCK_SIZE`. */
export function encodeBlockSizeInfo({ minimum, preferred, maximum }: BlockSizes): Uint8Array {
  const writer = new ByteWriter(14);
  writer.u16be(infoTypes.BLOCK_SIZE);
  for (const size of [minimum, preferred, maximum]) writer.u32be(size);
  return writer.bytes;
}

/** What follows `EXPORT_NAME`: no header, the size, the flags, and 124 zeros unless they were declined. */
export function encodeExportNameReply(size: number, flags: number, zeroes: boolean): Uint8Array {
  const writer = new ByteWriter(zeroes ? 134 : 10);
  writer.u64be(size);
  writer.u16be(flags);
  return writer.bytes;
}

/** Whether a reply's type says that the option failed. */
export function isErrorReply(type: number): boolean {
  return type >= optionReplies.ERR_UNSUP - 1;
}

function string(reader: ByteReader): string {
  const length = reader.u32be();
  // Too long is as wrong as too short, and the reader has the words for both.
  return reader.utf8(length > maximumStringLength ? Number.POSITIVE_INFINITY : length);
}

function requireEnd(reader: ByteReader): void {
  if (reader.remaining > 0) reader.skip(reader.remaining + 1);
}

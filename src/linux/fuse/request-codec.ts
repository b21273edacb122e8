/*
 * Every request begins with
 *
 *   byte 0 uint32 len      4 uint32 opcode   8 uint64 unique   16 uint64 nodeid
 *       24 uint32 uid     28 uint32 gid     32 uint32 pid      36 uint16 total_extlen   38 uint16 padding
 *
 * and goes on, from byte 40, with
 *
 *   INIT        0 uint32 major    4 uint32 minor    8 uint32 max_readahead   12 uint32 flags
 *   SETATTR     0 uint32 valid    8 uint64 fh      16 uint64 size
 *   OPEN        0 uint32 flags
 *   READ        0 uint64 fh       8 uint64 offset  16 uint32 size
 *   WRITE       0 uint64 fh       8 uint64 offset  16 uint32 size   40 bytes in all, then the data
 *   FALLOCATE   0 uint64 fh       8 uint64 offset  16 uint64 length   24 uint32 mode
 *   LSEEK       0 uint64 fh       8 uint64 offset  16 uint32 whence
 *   LOOKUP      0 the name, and a 0
 *   READDIR, READDIRPLUS      as READ
 *   GETXATTR    0 uint32 size (0: how long is it?)  8 the name, and a 0
 *   LISTXATTR   0 uint32 size (0: how long are they?)
 *
 * Source: linux/fuse.h.
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';

/** The length of what every request begins with, in bytes. */
const requestHeaderLength = 40;
/** How far from the beginning of a WRITE its data stands, in bytes. */
export const writeHeaderLength = requestHeaderLength + 40;

const decoder = new TextDecoder();
/** Where the name stands in the body of a GETXATTR, in bytes. */
const attributeNameOffset = 8;

/** What every request begins with. */
export interface RequestHeader {
  /** Of the whole request, in bytes. */
  readonly length: number;
  readonly opcode: number;
  /** Names the request in its answer. */
  readonly unique: bigint;
  readonly node: number;
}

/** Reads what a request begins with. @throws VarveError `CORRUPT` */
export function decodeRequestHeader(bytes: Uint8Array): RequestHeader {
  const reader = new ByteReader(bytes, 'FUSE request');
  return { length: reader.u32le(), opcode: reader.u32le(), unique: reader.opaque64le(), node: reader.u64le() };
}

/** What the kernel offers when a file system is mounted. */
export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  /** In bytes. */
  readonly maxReadahead: number;
  readonly flags: number;
}

export function decodeInit(bytes: Uint8Array): InitRequest {
  const reader = body(bytes, 'FUSE INIT');
  return { major: reader.u32le(), minor: reader.u32le(), maxReadahead: reader.u32le(), flags: reader.u32le() };
}

/** A change of a file's attributes: `valid` says by `attributeFlags` which. */
export interface SetAttributesRequest {
  readonly valid: number;
  /** In bytes. */
  readonly size: number;
}

export function decodeSetAttributes(bytes: Uint8Array): SetAttributesRequest {
  const reader = body(bytes, 'FUSE SETATTR');
  const valid = reader.u32le();
  reader.skip(12);
  return { valid, size: reader.u64le() };
}

/** A range of a file, in bytes. */
export interface RangeRequest {
  readonly offset: number;
  readonly length: number;
}

/** Of READ, and of WRITE, whose data stands `writeHeaderLength` bytes from its beginning. */
export function decodeRange(bytes: Uint8Array): RangeRequest {
  const reader = body(bytes, 'FUSE READ or WRITE');
  reader.skip(8);
  return { offset: reader.u64le(), length: reader.u32le() };
}

/** The data of a WRITE, a view into it. */
export function decodeWriteData(bytes: Uint8Array, { length }: RangeRequest): Uint8Array {
  const reader = new ByteReader(bytes, 'FUSE WRITE');
  reader.seek(writeHeaderLength);
  return reader.bytes(length);
}

/** What FALLOCATE asks for; `mode` as fallocate(2) has it. */
export interface AllocateRequest extends RangeRequest {
  readonly mode: number;
}

export function decodeAllocate(bytes: Uint8Array): AllocateRequest {
  const reader = body(bytes, 'FUSE FALLOCATE');
  reader.skip(8);
  return { offset: reader.u64le(), length: reader.u64le(), mode: reader.u32le() };
}

/** What LSEEK asks for; `whence` as lseek(2) has it. */
export interface SeekRequest {
  /** In bytes. */
  readonly offset: number;
  readonly whence: number;
}

export function decodeSeek(bytes: Uint8Array): SeekRequest {
  const reader = body(bytes, 'FUSE LSEEK');
  reader.skip(8);
  return { offset: reader.u64le(), whence: reader.u32le() };
}

/** The name that LOOKUP looks for: a view into it. */
export function decodeName(bytes: Uint8Array): Uint8Array {
  return terminated(bytes, requestHeaderLength);
}

/** How long the answer to GETXATTR and LISTXATTR may be, in bytes; 0 asks how long it is. */
export function decodeAttributeSize(bytes: Uint8Array): number {
  return body(bytes, 'FUSE GETXATTR').u32le();
}

/** Which attribute GETXATTR asks for. */
export function decodeAttributeName(bytes: Uint8Array): string {
  return decoder.decode(terminated(bytes, requestHeaderLength + attributeNameOffset));
}

function terminated(bytes: Uint8Array, start: number): Uint8Array {
  const end = bytes.indexOf(0, start);
  if (end !== -1 && start <= bytes.length) return bytes.subarray(start, end);
  throw new VarveError('CORRUPT', 'a FUSE request holds a name without an end');
}

function body(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes, what);
  reader.seek(requestHeaderLength);
  return reader;
}

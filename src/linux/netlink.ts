import { closeSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { systemError, VarveError } from '../base/varve-error.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { errnoError, libc } from './libc.ts';

/*
 * struct nlmsghdr, then struct genlmsghdr, then attributes (struct nlattr), each at a multiple of 4 bytes; in the
 * machine's own order of bytes, which is little on all that koffi has.
 *
 *   nlmsghdr    byte 0 uint32 length   4 uint16 type   6 uint16 flags   8 uint32 sequence   12 uint32 port
 *   genlmsghdr  byte 16 uint8 cmd      17 uint8 version   18 uint16 0
 *   nlattr      byte 0 uint16 length (with these 4 bytes)   2 uint16 type   4 value, padded
 *   NLMSG_ERROR byte 16 int32 −errno, 0 for success
 *
 * Source: netlink(7); linux/netlink.h, linux/genetlink.h.
 */
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0o2000003;
const NETLINK_GENERIC = 16;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const nestedFlag = 0x8000;
const headLength = 20;
const longestAnswer = 2 ** 15;

/** An attribute: a number of 16, 32 or 64 bits by the length of its array, text, bytes, or further attributes. */
export interface NetlinkAttribute {
  readonly type: number;
  readonly value: Uint16Array | Uint32Array | BigUint64Array | string | readonly NetlinkAttribute[];
}

/** What the kernel is asked by a family of generic netlink. */
export interface NetlinkRequest {
  /** The family's number. */
  readonly family: number;
  readonly command: number;
  readonly attributes: readonly NetlinkAttribute[];
  /** What it is for, for errors: `connect /dev/nbd0`. */
  readonly doing: string;
}

/**
 * Asks the kernel, and gives the attributes of what it answers: a map by type, empty where it only agrees. It waits in Node's
 * thread pool: the kernel may want something of this process first.
 *
 * @throws VarveError by errno
 */
export async function askNetlink(request: NetlinkRequest): Promise<ReadonlyMap<number, Uint8Array>> {
  const { doing } = request;
  const { errno, socket } = libc();
  const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_GENERIC);
  if (fd === -1) throw errnoError(doing, 'socket', errno());
  try {
    await promisify(write)(fd, encodeNetlink(request));
    return await answerOf(fd, doing);
  } catch (error) {
    throw systemError(doing, error);
  } finally {
    closeSync(fd);
  }
}

/** All that comes until the kernel says that it is done. */
async function answerOf(fd: number, doing: string): Promise<ReadonlyMap<number, Uint8Array>> {
  const attributes = new Map<number, Uint8Array>();
  for (;;) {
    const { buffer, bytesRead } = await promisify(read)(fd, Buffer.alloc(longestAnswer), 0, longestAnswer, null);
    for (const { body, type } of netlinkMessages(buffer.subarray(0, bytesRead))) {
      if (type !== NLMSG_ERROR) for (const each of netlinkAttributes(body.subarray(4))) attributes.set(...each);
      else if (body.length < 4) throw new VarveError('IO', `cannot ${doing}: the kernel’s answer is cut off`);
      else {
        const number = -body.readInt32LE(0);
        if (number !== 0) throw errnoError(doing, 'netlink', number);
        return attributes;
      }
    }
    if (bytesRead === 0) throw new VarveError('IO', `cannot ${doing}: the kernel does not answer`);
  }
}

/** The bytes of a request. */
export function encodeNetlink({ attributes, command, family }: Omit<NetlinkRequest, 'doing'>): Uint8Array {
  const body = Buffer.concat(attributes.map(encodeAttribute));
  const writer = new ByteWriter(headLength + body.length);
  writer.u32le(headLength + body.length);
  writer.u16le(family);
  writer.u16le(NLM_F_REQUEST + NLM_F_ACK);
  writer.u32le(1);
  writer.u32le(0);
  writer.u8(command);
  writer.u8(1);
  writer.u16le(0);
  writer.put(body);
  return writer.bytes;
}

function encodeAttribute({ type, value }: NetlinkAttribute): Uint8Array {
  const bytes = valueBytes(value);
  const writer = new ByteWriter(4 + Math.ceil(bytes.length / 4) * 4);
  writer.u16le(4 + bytes.length);
  writer.u16le(Array.isArray(value) ? type + nestedFlag : type);
  writer.put(bytes);
  return writer.bytes;
}

function valueBytes(value: NetlinkAttribute['value']): Uint8Array {
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.concat(value.map(encodeAttribute));
}

/** The messages in what came at once. What is cut off is left out. */
export function* netlinkMessages(bytes: Buffer): Generator<{ readonly type: number; readonly body: Buffer }> {
  for (let offset = 0; offset + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(offset);
    if (length < 16 || offset + length > bytes.length) return;
    yield { type: bytes.readUInt16LE(offset + 4), body: bytes.subarray(offset + 16, offset + length) };
    offset += Math.ceil(length / 4) * 4;
  }
}

/** The attributes in a message, by type. What is cut off is left out. */
export function* netlinkAttributes(bytes: Buffer): Generator<[type: number, value: Buffer]> {
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(offset);
    if (length < 4 || offset + length > bytes.length) return;
    yield [bytes.readUInt16LE(offset + 2) & ~nestedFlag, bytes.subarray(offset + 4, offset + length)];
    offset += Math.ceil(length / 4) * 4;
  }
}

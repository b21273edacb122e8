import {
  chunkTypes,
  extendedReplyMagic,
  extendedRequestMagic,
  replyFlagDone,
  requestMagic,
  simpleReplyMagic,
  structuredReplyMagic,
} from './constants.ts';

// Requests and replies of the transmission phase. All numbers are big-endian. Source: proto.md, "Transmission";
// extended headers: its branch extension-ext-header.
//
//   request            u32 magic, u16 flags, u16 command, u64 cookie, u64 offset, u32 length (extended: u64)
//   simple reply       u32 magic, u32 error, u64 cookie
//   structured reply   u32 magic, u16 flags, u16 type, u64 cookie, u32 length of the payload
//   extended reply     u32 magic, u16 flags, u16 type, u64 cookie, u64 offset, u64 length of the payload

/** Contexts in one query; more cannot be negotiated. */
const maximumQueriedContexts = 1024;

/** How replies look, as it was negotiated. */
export type ReplyStyle = 'simple' | 'structured' | 'extended';

/** A request's head. One object is filled again and again. */
export interface RequestHeader {
  /** False where this is no request, and the connection is lost. */
  hasMagic: boolean;
  flags: number;
  command: number;
  /** The client's number of the request, its upper and its lower half: opaque. */
  cookieHigh: number;
  cookieLow: number;
  /** In bytes; not a safe integer where it is past all disks. */
  offset: number;
  length: number;
}

/** What a reply is to. */
export type Cookie = Pick<RequestHeader, 'cookieHigh' | 'cookieLow'>;

/** Bytes of a request before its payload. */
export function requestLength(style: ReplyStyle): number {
  return style === 'extended' ? 32 : 28;
}

/** Bytes of a reply, or a chunk of one, before its payload. */
export function replyLength(style: ReplyStyle): number {
  if (style === 'simple') return 16;
  return style === 'structured' ? 20 : 32;
}

/** A request to be filled by `decodeRequest`. */
export function emptyRequest(): RequestHeader {
  return { hasMagic: false, flags: 0, command: 0, cookieHigh: 0, cookieLow: 0, offset: 0, length: 0 };
}

/** Hot: decodes the request at byte `position` of `view`, which holds all of its head, into `request`. */
export function decodeRequest(view: DataView, position: number, extended: boolean, request: RequestHeader): void {
  request.hasMagic = view.getUint32(position) === (extended ? extendedRequestMagic : requestMagic);
  request.flags = view.getUint16(position + 4);
  request.command = view.getUint16(position + 6);
  request.cookieHigh = view.getUint32(position + 8);
  request.cookieLow = view.getUint32(position + 12);
  request.offset = view.getUint32(position + 16) * 2 ** 32 + view.getUint32(position + 20);
  request.length = extended
    ? view.getUint32(position + 24) * 2 ** 32 + view.getUint32(position + 28)
    : view.getUint32(position + 24);
}

/** Encodes a request as a client sends it; gives the number of bytes. */
export function encodeRequest(view: DataView, position: number, extended: boolean, request: RequestHeader): number {
  view.setUint32(position, extended ? extendedRequestMagic : requestMagic);
  view.setUint16(position + 4, request.flags);
  view.setUint16(position + 6, request.command);
  setCookie(view, position + 8, request);
  set64(view, position + 16, request.offset);
  if (extended) set64(view, position + 24, request.length);
  else view.setUint32(position + 24, request.length);
  return extended ? 32 : 28;
}

/** Hot: a simple reply's head, with an error of `nbdErrors` or 0. */
export function encodeSimpleReply(view: DataView, position: number, cookie: Cookie, error: number): void {
  view.setUint32(position, simpleReplyMagic);
  view.setUint32(position + 4, error);
  setCookie(view, position + 8, cookie);
}

/** A chunk of a reply. */
export interface ChunkHeader extends Cookie {
  /** Of `chunkTypes`. */
  readonly type: number;
  /** Whether it is the reply's last. */
  readonly isLast: boolean;
  /** Of the request, in bytes; for extended replies. */
  readonly offset: number;
  /** Of the payload, in bytes. */
  readonly length: number;
}

/** Hot: the head of a structured or extended reply's chunk. */
export function encodeChunkHeader(view: DataView, position: number, extended: boolean, chunk: ChunkHeader): void {
  view.setUint32(position, extended ? extendedReplyMagic : structuredReplyMagic);
  view.setUint16(position + 4, chunk.isLast ? replyFlagDone : 0);
  view.setUint16(position + 6, chunk.type);
  setCookie(view, position + 8, chunk);
  if (extended) {
    set64(view, position + 16, chunk.offset);
    set64(view, position + 24, chunk.length);
  } else {
    view.setUint32(position + 16, chunk.length);
  }
}

/** The payload of an `ERROR` chunk: u32 error, u16 length, message; of `ERROR_OFFSET` with the u64 offset behind. */
export function encodeErrorPayload(error: number, message: string, offset?: number): Uint8Array {
  const text = Buffer.from(message).subarray(0, 4096);
  const payload = new Uint8Array(6 + text.length + (offset === undefined ? 0 : 8));
  const view = new DataView(payload.buffer);
  view.setUint32(0, error);
  view.setUint16(4, text.length);
  payload.set(text, 6);
  if (offset !== undefined) set64(view, 6 + text.length, offset);
  return payload;
}

/** The payload of an `OFFSET_HOLE` chunk: u64 offset, u32 length. */
export function encodeHolePayload(offset: number, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  set64(view, 0, offset);
  view.setUint32(8, length);
  return new Uint8Array(view.buffer);
}

/** A run of a disk as a context tells of it. */
export interface StatusRun {
  /** In bytes. */
  readonly length: number;
  readonly flags: number;
}

/**
 * The payload of a `BLOCK_STATUS` chunk: u32 context, and for each run u32 length, u32 flags; extended: u32 context,
 * u32 count, and for each run u64 length, u64 flags.
 */
export function encodeStatusPayload(contextId: number, runs: readonly StatusRun[], extended: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(extended ? 8 + 16 * runs.length : 4 + 8 * runs.length));
  view.setUint32(0, contextId);
  if (extended) view.setUint32(4, runs.length);
  for (const [index, { length, flags }] of runs.entries()) {
    if (extended) {
      set64(view, 8 + 16 * index, length);
      set64(view, 16 + 16 * index, flags);
    } else {
      view.setUint32(4 + 8 * index, length);
      view.setUint32(8 + 8 * index, flags);
    }
  }
  return new Uint8Array(view.buffer);
}

/** What the payload of a `BLOCK_STATUS` request asks for. */
export interface StatusQuery {
  /** Of the range, in bytes; not a safe integer where it is past all disks. */
  readonly length: number;
  readonly contextIds: readonly number[];
}

/** The payload of an extended `BLOCK_STATUS`: u64 length of the range, u32 contexts. `undefined` for what is none. */
export function decodeStatusQuery(payload: Uint8Array): StatusQuery | undefined {
  if (payload.length < 8 || payload.length % 4 !== 0 || payload.length > 8 + 4 * maximumQueriedContexts)
    return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const length = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return {
    length,
    contextIds: Array.from({ length: payload.length / 4 - 2 }, (_, index) => view.getUint32(8 + 4 * index)),
  };
}

/** The type of chunk that a context's runs go in. */
export function statusChunkType(extended: boolean): number {
  return extended ? chunkTypes.BLOCK_STATUS_EXT : chunkTypes.BLOCK_STATUS;
}

function setCookie(view: DataView, position: number, { cookieHigh, cookieLow }: Cookie): void {
  view.setUint32(position, cookieHigh);
  view.setUint32(position + 4, cookieLow);
}

function set64(view: DataView, position: number, value: number): void {
  view.setUint32(position, Math.floor(value / 2 ** 32));
  view.setUint32(position + 4, value % 2 ** 32);
}

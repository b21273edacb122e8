// The numbers of the NBD protocol, and their names for logs and errors. Source: NetworkBlockDevice/nbd doc/proto.md,
// "Values"; extended headers: its branch extension-ext-header.

/** "NBDMAGIC" */
export const initMagic = 0x4e42444d41474943n;
/** "IHAVEOPT" */
export const optionMagic = 0x49484156454f5054n;
export const optionReplyMagic = 0x0003e889045565a9n;
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;
export const extendedRequestMagic = 0x21e41c71;
export const extendedReplyMagic = 0x6e8a278c;

/** What the server says first of itself. */
export const handshakeFlags = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

/** What the client answers to that. */
export const clientFlags = { C_FIXED_NEWSTYLE: 1, C_NO_ZEROES: 2 } as const;

/** What an export can do. */
export const transmissionFlags = {
  HAS_FLAGS: 1,
  READ_ONLY: 2,
  SEND_FLUSH: 4,
  SEND_FUA: 8,
  ROTATIONAL: 16,
  SEND_TRIM: 32,
  SEND_WRITE_ZEROES: 64,
  SEND_DF: 128,
  CAN_MULTI_CONN: 256,
  SEND_RESIZE: 512,
  SEND_CACHE: 1024,
  SEND_FAST_ZERO: 2048,
  BLOCK_STATUS_PAYLOAD: 4096,
} as const;

/** What a client asks for before it chooses an export. */
export const options = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  PEEK_EXPORT: 4,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

/** What a server answers to that; errors have the highest bit set. */
export const optionReplies = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_PLATFORM: 0x80000004,
  ERR_TLS_REQD: 0x80000005,
  ERR_UNKNOWN: 0x80000006,
  ERR_SHUTDOWN: 0x80000007,
  ERR_BLOCK_SIZE_REQD: 0x80000008,
  ERR_TOO_BIG: 0x80000009,
  ERR_EXT_HEADER_REQD: 0x8000000a,
} as const;

/** What is told of an export. */
export const infoTypes = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** What a client has done with an export. */
export const commands = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
  RESIZE: 8,
} as const;

/** How it wants that done. */
export const commandFlags = { FUA: 1, NO_HOLE: 2, DF: 4, REQ_ONE: 8, FAST_ZERO: 16, PAYLOAD_LEN: 32 } as const;

/** A structured or extended reply's own flag: no further chunk follows. */
export const replyFlagDone = 1;

/** What a chunk of a structured or extended reply holds; errors have bit 15 set. */
export const chunkTypes = {
  NONE: 0,
  OFFSET_DATA: 1,
  OFFSET_HOLE: 2,
  BLOCK_STATUS: 5,
  BLOCK_STATUS_EXT: 6,
  ERROR: 0x8001,
  ERROR_OFFSET: 0x8002,
} as const;

/** What is wrong with a request: Linux's numbers, on every system. */
export const nbdErrors = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** The bits of the context `base:allocation`. */
export const allocationFlags = { HOLE: 1, ZERO: 2 } as const;

/** A name, the empty one included, and a query have at most so many bytes. */
export const maximumStringLength = 4096;

/** The name of a number in one of the tables above, for logs and errors: `LIST`, or `99` where it has none. */
export function nameIn(table: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(table).find((name) => table[name] === value) ?? String(value);
}

/** The names of the bits that are set, for logs and errors: `FUA|DF`, and what has no name as a number. */
export function flagNames(table: Readonly<Record<string, number>>, flags: number): string {
  const names = Object.entries(table).filter(([, bit]) => (flags & bit) !== 0);
  const rest = names.reduce((left, [, bit]) => left & ~bit, flags);
  return [...names.map(([name]) => name), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join('|') || '0';
}

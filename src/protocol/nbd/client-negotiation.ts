import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import {
  clientFlags,
  handshakeFlags,
  infoTypes,
  initMagic,
  nameIn,
  optionMagic,
  optionReplies,
  optionReplyMagic,
  options,
} from './constants.ts';
import {
  type BlockSizes,
  encodeContextRequest,
  encodeInfoRequest,
  encodeOption,
  isErrorReply,
} from './option-codec.ts';
import type { ReplyStyle } from './transmission-codec.ts';

/** What a client wants of a server. */
export interface ClientWish {
  readonly exportName: string;
  /** Contexts to ask for, as far as the server has them. */
  readonly contexts: readonly string[];
  /** Whether nothing may be asked before TLS stands. */
  readonly tls?: boolean;
}

/** What it got. */
export interface ClientAgreement {
  /** In bytes. */
  readonly size: number;
  /** Of `transmissionFlags`. */
  readonly flags: number;
  readonly replies: ReplyStyle;
  readonly blockSizes: BlockSizes;
  /** The number that stands for each context in replies. */
  readonly contexts: ReadonlyMap<string, number>;
}

/** What a client's negotiation wants next of whoever holds the connection; `next` takes the answer. */
export type ClientStep =
  /** Answered with exactly so many bytes. */
  | { readonly kind: 'read'; readonly length: number }
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Answered when TLS stands. */
  | { readonly kind: 'start TLS' };

type Steps<T> = Generator<ClientStep, T, Uint8Array>;

interface Reply {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The data of a reply, in bytes: a name, a description, a reason. */
const maximumReplyLength = 2 ** 16;
/** Replies to one option: a server's list may be long, but not without end. */
const maximumReplyCount = 100_000;
/** What a server takes that says nothing of sizes. Source: proto.md, "Size constraints". */
const defaultBlockSizes: BlockSizes = { minimum: 1, preferred: 4096, maximum: 2 ** 25 };

/**
 * The client's side of the handshake and option haggling, without a socket.
 *
 * @throws VarveError `NOT_FOUND` for an export that is not there, `PERMISSION` where TLS is wanted, or refused,
 *   `UNSUPPORTED` for what is no NBD server of the kind that is in use today, `CORRUPT` for one that contradicts itself
 */
export function* negotiateAsClient(wish: ClientWish): Steps<ClientAgreement> {
  const zeroes = yield* greet();
  if (wish.tls === true) {
    const refusal = yield* simpleOption(options.STARTTLS);
    if (refusal !== undefined) throw refused('TLS', refusal, 'PERMISSION');
    yield { kind: 'start TLS' };
  }
  const isStructured = (yield* simpleOption(options.STRUCTURED_REPLY)) === undefined;
  const contexts = isStructured ? yield* selectContexts(wish) : new Map<string, number>();
  const replies = isStructured ? 'structured' : 'simple';
  return { ...(yield* go(wish.exportName, zeroes)), replies, contexts };
}

/** Gives whether zeros follow an answer to `EXPORT_NAME`. */
function* greet(): Steps<boolean> {
  const reader = new ByteReader(yield* read(18), 'NBD greeting');
  const magics = [reader.opaque64be(), reader.opaque64be()];
  if (magics[0] !== initMagic) throw new VarveError('UNSUPPORTED', 'what answers there is no NBD server');
  const flags = reader.u16be();
  if (magics[1] !== optionMagic || (flags & handshakeFlags.FIXED_NEWSTYLE) === 0) {
    throw new VarveError('UNSUPPORTED', 'the NBD server is of an old kind that cannot be asked for an export');
  }
  const zeroes = (flags & handshakeFlags.NO_ZEROES) === 0;
  const writer = new ByteWriter(4);
  writer.u32be(clientFlags.C_FIXED_NEWSTYLE | (zeroes ? 0 : clientFlags.C_NO_ZEROES));
  yield { kind: 'send', bytes: writer.bytes };
  return zeroes;
}

function* selectContexts({ contexts, exportName }: ClientWish): Steps<Map<string, number>> {
  const ids = new Map<string, number>();
  if (contexts.length === 0) return ids;
  yield* sendOption(options.SET_META_CONTEXT, encodeContextRequest({ name: exportName, queries: contexts }));
  for (let count = 0; count < maximumReplyCount; count += 1) {
    const { data, type } = yield* reply(options.SET_META_CONTEXT);
    // A server without contexts, or without this export, says so; the latter again at GO.
    if (type === optionReplies.ACK) return ids;
    if (isErrorReply(type)) return new Map();
    const reader = new ByteReader(data, 'NBD context');
    const id = reader.u32be();
    const context = reader.utf8(reader.remaining);
    if (contexts.includes(context)) ids.set(context, id);
  }
  throw endless();
}

function* go(name: string, zeroes: boolean): Steps<Omit<ClientAgreement, 'replies' | 'contexts'>> {
  yield* sendOption(options.GO, encodeInfoRequest({ name, types: [infoTypes.BLOCK_SIZE] }));
  let found: { size: number; flags: number } | undefined;
  let blockSizes = defaultBlockSizes;
  for (let count = 0; count < maximumReplyCount; count += 1) {
    const answer = yield* reply(options.GO);
    if (answer.type === optionReplies.ERR_UNSUP) return { ...(yield* exportName(name, zeroes)), blockSizes };
    if (isErrorReply(answer.type)) throw exportRefused(name, answer);
    if (answer.type === optionReplies.ACK) {
      if (found === undefined) throw new VarveError('CORRUPT', 'the NBD server gave an export and not its size');
      return { ...found, blockSizes };
    }
    const reader = new ByteReader(answer.data, 'NBD export');
    const type = reader.u16be();
    if (type === infoTypes.EXPORT) found = { size: reader.u64be(), flags: reader.u16be() };
    if (type === infoTypes.BLOCK_SIZE) blockSizes = blockSizesIn(reader);
  }
  throw endless();
}

/** The old way in: the server closes the connection where there is no such export. */
function* exportName(name: string, zeroes: boolean): Steps<{ size: number; flags: number }> {
  yield* sendOption(options.EXPORT_NAME, new TextEncoder().encode(name));
  const reader = new ByteReader(yield* read(zeroes ? 134 : 10), 'NBD export');
  return { size: reader.u64be(), flags: reader.u16be() };
}

function blockSizesIn(reader: ByteReader): BlockSizes {
  const [minimum, preferred, maximum] = [reader.u32be(), reader.u32be(), reader.u32be()] as const;
  const isPower = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));
  if (!isPower(minimum) || minimum > 2 ** 16 || !isPower(preferred) || preferred < minimum || maximum < preferred) {
    const sizes = `${minimum}, ${preferred} and ${maximum}`;
    throw new VarveError('CORRUPT', `the NBD server has block sizes that cannot be: ${sizes}`);
  }
  return { minimum, preferred, maximum: Math.min(maximum, defaultBlockSizes.maximum) };
}

/** An option without data; gives what the server has against it. */
function* simpleOption(option: number): Steps<Reply | undefined> {
  yield* sendOption(option, new Uint8Array());
  const answer = yield* reply(option);
  return answer.type === optionReplies.ACK ? undefined : answer;
}

function* sendOption(option: number, data: Uint8Array): Steps<void> {
  yield { kind: 'send', bytes: encodeOption(option, data) };
}

function* reply(option: number): Steps<Reply> {
  const reader = new ByteReader(yield* read(20), 'NBD reply');
  const isReply = reader.opaque64be() === optionReplyMagic && reader.u32be() === option;
  const type = reader.u32be();
  const length = reader.u32be();
  if (!isReply || length > maximumReplyLength) {
    throw new VarveError('CORRUPT', `the NBD server's answer to ${nameIn(options, option)} is none`);
  }
  return { type, data: length === 0 ? new Uint8Array() : new Uint8Array(yield* read(length)) };
}

function* read(length: number): Steps<Uint8Array> {
  return yield { kind: 'read', length };
}

function exportRefused(name: string, answer: Reply): VarveError {
  const what = name === '' ? 'its default export' : `the export ${JSON.stringify(name)}`;
  if (answer.type === optionReplies.ERR_UNKNOWN) return refused(what, answer, 'NOT_FOUND');
  const isProtected = answer.type === optionReplies.ERR_TLS_REQD || answer.type === optionReplies.ERR_POLICY;
  return refused(what, answer, isProtected ? 'PERMISSION' : 'UNSUPPORTED');
}

function refused(what: string, { data, type }: Reply, code: 'NOT_FOUND' | 'PERMISSION' | 'UNSUPPORTED'): VarveError {
  // A reason that comes from elsewhere goes to a terminal: without control characters, and not endless.
  const reason = new TextDecoder()
    .decode(data)
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, 200);
  const words = reason === '' ? nameIn(optionReplies, type) : `${nameIn(optionReplies, type)}, ${reason}`;
  return new VarveError(code, `the NBD server refuses ${what}: ${words}`);
}

function endless(): VarveError {
  return new VarveError('CORRUPT', 'the NBD server answers without end');
}

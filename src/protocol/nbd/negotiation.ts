import { isVarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import {
  clientFlags,
  handshakeFlags,
  infoTypes,
  maximumStringLength,
  nameIn,
  optionReplies,
  options,
  transmissionFlags,
} from './constants.ts';
import { listedContexts, matchingContexts } from './meta-contexts.ts';
import {
  type BlockSizes,
  type ContextRequest,
  decodeContextRequest,
  decodeInfoRequest,
  decodeOptionHeader,
  encodeBlockSizeInfo,
  encodeContextReply,
  encodeExportInfo,
  encodeExportNameReply,
  encodeGreeting,
  encodeOptionReply,
  encodeServerReply,
  encodeText,
  encodeTextInfo,
  type InfoRequest,
  optionHeaderLength,
} from './option-codec.ts';

/** An export as it is offered to a client. */
export interface ExportOffer {
  /** What it is called in lists, where it was found by another name. */
  readonly name?: string;
  /** In bytes. */
  readonly size: number;
  /** Of `transmissionFlags`. */
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  readonly description?: string | undefined;
  /** The metadata contexts that are listed: `base:allocation`. */
  readonly contexts: readonly string[];
  /** Whether a context can be had that is not listed. */
  readonly hasContext?: (name: string) => boolean;
}

/** A context that a client selected, and the number that stands for it in replies. */
export interface SelectedContext {
  readonly id: number;
  readonly name: string;
}

/** How a server negotiates. */
export interface NegotiationPolicy {
  /** `required`: nothing is told, and no export given, before TLS stands. */
  readonly tls: 'off' | 'offered' | 'required';
  /** Whether the connection is protected already, by other means than `STARTTLS`. */
  readonly isSecure?: boolean;
}

/** What a negotiation wants next of whoever holds the connection; `next` takes the answer. */
export type NegotiationStep =
  /** Answered with exactly so many bytes. They may be overwritten after the next step. */
  | { readonly kind: 'read'; readonly length: number }
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Answered when TLS stands. Bytes that came before it are not to be taken for what came through it. */
  | { readonly kind: 'start TLS' }
  /** Answered with an `ExportOffer`, or `undefined` where there is none of that name. */
  | { readonly kind: 'find'; readonly name: string }
  /** Answered with an iterable of `ListedExport`. */
  | { readonly kind: 'list' };

/** An export in a list. */
export interface ListedExport {
  readonly name: string;
  readonly description?: string | undefined;
}

/** How a negotiation ended: with an export that is to be served, or with a connection that is to be closed. */
export type NegotiationResult =
  | {
      readonly kind: 'export';
      readonly name: string;
      readonly offer: ExportOffer;
      readonly replies: 'simple' | 'structured' | 'extended';
      readonly contexts: readonly SelectedContext[];
    }
  | { readonly kind: 'closed'; readonly reason: string };

/** A part of a negotiation that gives a `T`. */
type Steps<T> = Generator<NegotiationStep, T, unknown>;

/** What an option leads to: the next option, or the end. */
type Outcome = NegotiationResult | undefined;

/** Data longer than this is read past and refused, in bytes. */
const maximumDataLength = 2 ** 17;
/** Nobody sends data longer than this but to keep a server busy: the connection is closed. */
const maximumSkippedLength = 2 ** 25;
const skippedPieceLength = 2 ** 14;
const maximumContextCount = 64;

/**
 * The server's side of the handshake and option haggling, without a socket: a generator of what is to be read, sent
 * and looked up. Whatever a client sends, it ends in a result or goes on with the next option; limits of time are the
 * caller's.
 */
export function* negotiate(policy: NegotiationPolicy): Steps<NegotiationResult> {
  yield* send(encodeGreeting(handshakeFlags.FIXED_NEWSTYLE | handshakeFlags.NO_ZEROES));
  const flags = new ByteReader(yield* read(4), 'NBD client flags').u32be();
  const known = clientFlags.C_FIXED_NEWSTYLE | clientFlags.C_NO_ZEROES;
  if ((flags & ~known) !== 0) return closed(`unknown client flags 0x${(flags >>> 0).toString(16)}`);
  const negotiation = new Negotiation(policy, (flags & clientFlags.C_NO_ZEROES) === 0);
  for (;;) {
    const outcome = yield* negotiation.option();
    if (outcome !== undefined) return outcome;
  }
}

class Negotiation {
  readonly #policy: NegotiationPolicy;
  readonly #zeroes: boolean;
  #isSecure: boolean;
  #replies: 'simple' | 'structured' | 'extended' = 'simple';
  /** What the last `SET_META_CONTEXT` selected, and for which export. */
  #selected: { readonly name: string; readonly contexts: readonly SelectedContext[] } | undefined;

  constructor(policy: NegotiationPolicy, zeroes: boolean) {
    this.#policy = policy;
    this.#zeroes = zeroes;
    this.#isSecure = policy.isSecure ?? false;
  }

  *option(): Steps<Outcome> {
    const header = decodeOptionHeader(yield* read(optionHeaderLength));
    if (!header.hasMagic) return closed('what it sent is no NBD option');
    const { option, length } = header;
    if (option === options.EXPORT_NAME) return yield* this.#exportName(length);
    if (length > maximumSkippedLength) return closed(`an option of ${length} bytes`);
    const isTooLong = length > maximumDataLength;
    if (isTooLong) yield* skip(length);
    // The buffer is the connection's: what is kept of it has to be copied.
    const data = length === 0 || isTooLong ? new Uint8Array() : new Uint8Array(yield* read(length));
    if (this.#needsTls() && option !== options.STARTTLS && option !== options.ABORT) {
      return yield* this.#reply(option, optionReplies.ERR_TLS_REQD, 'this server wants TLS first');
    }
    if (!isTooLong) return yield* this.#answer(option, data);
    return yield* this.#reply(
      option,
      optionReplies.ERR_TOO_BIG,
      `an option has at most ${maximumDataLength} bytes here`,
    );
  }

  *#answer(option: number, data: Uint8Array): Steps<Outcome> {
    switch (option) {
      case options.ABORT:
        yield* this.#reply(option, optionReplies.ACK);
        return closed('the client went away');
      case options.LIST:
        return data.length > 0 ? yield* this.#invalid(option, 'LIST takes no data') : yield* this.#list();
      case options.STARTTLS:
        return data.length > 0 ? yield* this.#invalid(option, 'STARTTLS takes no data') : yield* this.#startTls();
      case options.STRUCTURED_REPLY:
      case options.EXTENDED_HEADERS:
        return yield* this.#chooseReplies(option, data);
      case options.INFO:
      case options.GO:
        return yield* this.#info(option, data);
      case options.LIST_META_CONTEXT:
      case options.SET_META_CONTEXT:
        return yield* this.#contexts(option, data);
      default:
        return yield* this.#reply(
          option,
          optionReplies.ERR_UNSUP,
          `there is no option ${nameIn(options, option)} here`,
        );
    }
  }

  /** The old way in, which knows no errors: what cannot be given ends the connection. */
  *#exportName(length: number): Steps<NegotiationResult> {
    if (this.#needsTls()) return closed('it asked for an export before TLS stood');
    if (length > maximumStringLength) return closed('the name of an export is too long');
    const name = length === 0 ? '' : textOf(yield* read(length));
    const offer = name === undefined ? undefined : yield* find(name);
    if (name === undefined || offer === undefined) return closed(`there is no export ${JSON.stringify(name ?? '')}`);
    yield* send(encodeExportNameReply(offer.size, this.#flagsOf(offer), this.#zeroes));
    return this.#result(name, offer);
  }

  *#list(): Steps<Outcome> {
    const exports = (yield { kind: 'list' }) as Iterable<ListedExport>;
    for (const { name, description } of exports) {
      yield* this.#send(options.LIST, optionReplies.SERVER, encodeServerReply(name, description));
    }
    return yield* this.#reply(options.LIST, optionReplies.ACK);
  }

  *#startTls(): Steps<Outcome> {
    const option = options.STARTTLS;
    if (this.#isSecure) return yield* this.#invalid(option, 'TLS stands already');
    if (this.#policy.tls === 'off') {
      return yield* this.#reply(option, optionReplies.ERR_POLICY, 'this server has no TLS');
    }
    yield* this.#reply(option, optionReplies.ACK);
    yield { kind: 'start TLS' };
    this.#isSecure = true;
    // What was said in the open, somebody else may have said.
    this.#replies = 'simple';
    this.#selected = undefined;
    return undefined;
  }

  *#chooseReplies(option: number, data: Uint8Array): Steps<Outcome> {
    const wanted = option === options.EXTENDED_HEADERS ? 'extended' : 'structured';
    if (data.length > 0) return yield* this.#invalid(option, `${nameIn(options, option)} takes no data`);
    if (this.#replies === wanted) return yield* this.#invalid(option, 'that is agreed already');
    if (this.#replies === 'extended') {
      return yield* this.#reply(option, optionReplies.ERR_EXT_HEADER_REQD, 'extended headers are agreed already');
    }
    this.#replies = wanted;
    return yield* this.#reply(option, optionReplies.ACK);
  }

  *#info(option: number, data: Uint8Array): Steps<Outcome> {
    const request = decoded<InfoRequest>(decodeInfoRequest, data);
    if (request === undefined) return yield* this.#invalid(option, 'that is no request for an export');
    const { name, types } = request;
    const offer = yield* find(name);
    if (offer === undefined) return yield* this.#unknown(option, name);
    const info = optionReplies.INFO;
    yield* this.#send(option, info, encodeExportInfo(offer.size, this.#flagsOf(offer)));
    if (types.includes(infoTypes.NAME))
      yield* this.#send(option, info, encodeTextInfo(infoTypes.NAME, offer.name ?? name));
    if (types.includes(infoTypes.DESCRIPTION) && offer.description !== undefined) {
      yield* this.#send(option, info, encodeTextInfo(infoTypes.DESCRIPTION, offer.description));
    }
    const asked = types.includes(infoTypes.BLOCK_SIZE);
    const needed = offer.blockSizes.minimum > 1;
    if (asked || needed) yield* this.#send(option, info, encodeBlockSizeInfo(offer.blockSizes));
    if (needed && !asked && option === options.GO) {
      return yield* this.#reply(option, optionReplies.ERR_BLOCK_SIZE_REQD, 'this export has block sizes to ask for');
    }
    yield* this.#reply(option, optionReplies.ACK);
    return option === options.GO ? this.#result(name, offer) : undefined;
  }

  *#contexts(option: number, data: Uint8Array): Steps<Outcome> {
    const selects = option === options.SET_META_CONTEXT;
    if (selects) this.#selected = undefined;
    if (this.#replies === 'simple') return yield* this.#invalid(option, 'structured replies have to be agreed first');
    const request = decoded<ContextRequest>(decodeContextRequest, data);
    if (request === undefined) return yield* this.#invalid(option, 'that is no list of contexts');
    const offer = yield* find(request.name);
    if (offer === undefined) return yield* this.#unknown(option, request.name);
    const names = selects ? matchingContexts(offer, request.queries) : listedContexts(offer, request.queries);
    if (selects && names.length > maximumContextCount) {
      return yield* this.#reply(
        option,
        optionReplies.ERR_TOO_BIG,
        `at most ${maximumContextCount} contexts go at once`,
      );
    }
    const contexts = names.map((name, index) => ({ id: selects ? index + 1 : 0, name }));
    for (const { id, name } of contexts) {
      yield* this.#send(option, optionReplies.META_CONTEXT, encodeContextReply(id, name));
    }
    if (selects) this.#selected = { name: request.name, contexts };
    return yield* this.#reply(option, optionReplies.ACK);
  }

  #needsTls(): boolean {
    return this.#policy.tls === 'required' && !this.#isSecure;
  }

  /** Without structured replies nothing comes in chunks, nor is asked not to; only extended headers have payloads. */
  #flagsOf({ flags }: ExportOffer): number {
    const { BLOCK_STATUS_PAYLOAD, SEND_DF } = transmissionFlags;
    if (this.#replies === 'extended') return flags;
    return flags & ~BLOCK_STATUS_PAYLOAD & ~(this.#replies === 'simple' ? SEND_DF : 0);
  }

  #result(name: string, offer: ExportOffer): NegotiationResult {
    const contexts = this.#selected?.name === name ? this.#selected.contexts : [];
    return { kind: 'export', name, offer, replies: this.#replies, contexts };
  }

  *#invalid(option: number, text: string): Steps<undefined> {
    yield* this.#reply(option, optionReplies.ERR_INVALID, text);
  }

  *#unknown(option: number, name: string): Steps<undefined> {
    yield* this.#reply(option, optionReplies.ERR_UNKNOWN, `there is no export ${JSON.stringify(name)}`);
  }

  *#reply(option: number, type: number, text = ''): Steps<undefined> {
    yield* this.#send(option, type, encodeText(text));
  }

  *#send(option: number, type: number, data: Uint8Array): Steps<void> {
    yield* send(encodeOptionReply(option, type, data));
  }
}

function* read(length: number): Steps<Uint8Array> {
  return (yield { kind: 'read', length }) as Uint8Array;
}

function* skip(length: number): Steps<void> {
  for (let left = length; left > 0; left -= skippedPieceLength) yield* read(Math.min(left, skippedPieceLength));
}

function* send(bytes: Uint8Array): Steps<void> {
  yield { kind: 'send', bytes };
}

function* find(name: string): Steps<ExportOffer | undefined> {
  return (yield { kind: 'find', name }) as ExportOffer | undefined;
}

function closed(reason: string): NegotiationResult {
  return { kind: 'closed', reason };
}

/** `undefined` for what is no such structure. */
function decoded<T>(decode: (data: Uint8Array) => T, data: Uint8Array): T | undefined {
  try {
    return decode(data);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

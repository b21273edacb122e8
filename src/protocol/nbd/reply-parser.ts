import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { chunkTypes, nameIn, nbdErrors, replyFlagDone, simpleReplyMagic, structuredReplyMagic } from './constants.ts';

/** A request that waits for its reply. */
export interface AwaitedReply {
  /** Where a read's bytes go. */
  readonly target?: Uint8Array;
  /** Where on the disk `target` starts. */
  readonly offset: number;
  /** Takes what a context tells of runs. */
  readonly onStatus?: (contextId: number, runs: readonly { readonly length: number; readonly flags: number }[]) => void;
  /** Called once, with an error where it failed. */
  readonly settle: (error?: VarveError) => void;
}

/** The awaited replies of a connection, by cookie. */
export type AwaitedReplies = Map<number, AwaitedReply & { received: number; failure?: VarveError }>;

/** Data on its way into a target. */
interface IncomingData {
  readonly target: Uint8Array;
  filled: number;
  readonly finish: () => void;
}

/** Payloads other than data are no longer than this, in bytes. */
const maximumPayloadLength = 2 ** 20;

/**
 * Takes replies apart as they come in, simple ones and structured ones, and puts what is read where it is wanted.
 * Whatever a server sends that was not asked for is an error, after which the connection is of no use.
 */
export class ReplyParser {
  readonly #awaited: AwaitedReplies;
  #rest: Uint8Array = new Uint8Array();
  #data: IncomingData | undefined;

  constructor(awaited: AwaitedReplies) {
    this.#awaited = awaited;
  }

  /** The chunk is the caller's again afterwards. @throws VarveError `CORRUPT` for what is no reply to anything */
  push(chunk: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length > 0) {
      const taken = this.#data === undefined ? this.#take(bytes) : this.#fill(this.#data, bytes);
      if (taken === 0) break;
      bytes = bytes.subarray(taken);
    }
    this.#rest = new Uint8Array(bytes);
  }

  #fill(data: IncomingData, bytes: Uint8Array): number {
    const part = bytes.subarray(0, data.target.length - data.filled);
    data.target.set(part, data.filled);
    data.filled += part.length;
    if (data.filled === data.target.length) {
      this.#data = undefined;
      data.finish();
    }
    return part.length;
  }

  /** Takes a whole reply, or the head of one that carries data; 0 where more has to come. */
  #take(bytes: Uint8Array): number {
    if (bytes.length < 16) return 0;
    const reader = new ByteReader(bytes, 'NBD reply');
    const magic = reader.u32be();
    if (magic === simpleReplyMagic) return this.#simple(reader);
    if (magic !== structuredReplyMagic) throw broken('what it sends is no reply');
    if (bytes.length < 20) return 0;
    const [flags, type, cookieHigh, cookie, length] = [
      reader.u16be(),
      reader.u16be(),
      reader.u32be(),
      reader.u32be(),
      reader.u32be(),
    ];
    return this.#chunk(bytes, { type, isLast: (flags & replyFlagDone) !== 0, key: keyOf(cookieHigh, cookie), length });
  }

  #simple(reader: ByteReader): number {
    const error = reader.u32be();
    const key = keyOf(reader.u32be(), reader.u32be());
    const awaited = this.#find(key);
    if (error !== 0) this.#settle(key, requestFailed(error, ''));
    else if (awaited.target === undefined) this.#settle(key);
    else this.#expect(awaited.target, () => this.#settle(key));
    return 16;
  }

  #chunk(
    bytes: Uint8Array,
    {
      isLast,
      key,
      length,
      type,
    }: { readonly type: number; readonly isLast: boolean; readonly key: number; readonly length: number },
  ): number {
    const awaited = this.#find(key);
    if (type === chunkTypes.OFFSET_DATA) {
      if (length <= 8) throw broken('a chunk of data without data');
      if (bytes.length < 28) return 0;
      const target = rangeOf(awaited, new ByteReader(bytes.subarray(20, 28), 'NBD reply').u64be(), length - 8);
      awaited.received += target.length;
      this.#expect(target, () => this.#finishChunk(key, isLast));
      return 28;
    }
    if (length > maximumPayloadLength) throw broken(`a chunk of ${length} bytes`);
    if (bytes.length < 20 + length) return 0;
    this.#payload(awaited, type, new ByteReader(bytes.subarray(20, 20 + length), 'NBD reply'));
    this.#finishChunk(key, isLast);
    return 20 + length;
  }

  #payload(awaited: AwaitedReply & { received: number; failure?: VarveError }, type: number, reader: ByteReader): void {
    if (type === chunkTypes.OFFSET_HOLE) {
      const offset = reader.u64be();
      const target = rangeOf(awaited, offset, reader.u32be());
      target.fill(0);
      awaited.received += target.length;
    } else if (type === chunkTypes.BLOCK_STATUS && awaited.onStatus !== undefined) {
      const contextId = reader.u32be();
      const count = Math.floor(reader.remaining / 8);
      awaited.onStatus(
        contextId,
        Array.from({ length: count }, () => ({ length: reader.u32be(), flags: reader.u32be() })),
      );
    } else if (type >= chunkTypes.ERROR) {
      const error = reader.u32be();
      const length = reader.u16be();
      awaited.failure ??= requestFailed(error, new TextDecoder().decode(reader.bytes(length)));
    } else if (type !== chunkTypes.NONE) {
      throw broken(`a chunk of type ${nameIn(chunkTypes, type)}`);
    }
  }

  #finishChunk(key: number, isLast: boolean): void {
    if (!isLast) return;
    const awaited = this.#find(key);
    if (awaited.failure === undefined && awaited.target !== undefined && awaited.received !== awaited.target.length) {
      throw broken(`${awaited.received} bytes for a read of ${awaited.target.length}`);
    }
    this.#settle(key, awaited.failure);
  }

  #expect(target: Uint8Array, finish: () => void): void {
    if (target.length === 0) finish();
    else this.#data = { target, filled: 0, finish };
  }

  #find(key: number): AwaitedReply & { received: number; failure?: VarveError } {
    const awaited = this.#awaited.get(key);
    if (awaited === undefined) throw broken('a reply to nothing that was asked');
    return awaited;
  }

  #settle(key: number, error?: VarveError): void {
    const awaited = this.#find(key);
    this.#awaited.delete(key);
    awaited.settle(error);
  }
}

function rangeOf({ offset, target }: AwaitedReply, start: number, length: number): Uint8Array {
  const from = start - offset;
  if (target === undefined || from < 0 || from + length > target.length) throw broken('data that nobody asked for');
  return target.subarray(from, from + length);
}

/** Cookies are ours: 32 bits are enough, and any other is none. */
function keyOf(high: number, low: number): number {
  return high === 0 ? low : -1;
}

const codes = new Map<number, 'READ_ONLY' | 'NO_SPACE' | 'UNSUPPORTED' | 'BUSY'>([
  [nbdErrors.EPERM, 'READ_ONLY'],
  [nbdErrors.ENOSPC, 'NO_SPACE'],
  [nbdErrors.ENOTSUP, 'UNSUPPORTED'],
  [nbdErrors.ESHUTDOWN, 'BUSY'],
]);

function requestFailed(error: number, message: string): VarveError {
  const words = message.replace(/\p{Cc}/gu, ' ').slice(0, 200);
  const reason = words === '' ? nameIn(nbdErrors, error) : `${nameIn(nbdErrors, error)}, ${words}`;
  return new VarveError(codes.get(error) ?? 'IO', `the NBD server answers ${reason}`);
}

function broken(what: string): VarveError {
  return new VarveError('CORRUPT', `the NBD server does not keep to the protocol: ${what}`);
}

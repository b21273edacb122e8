import { chunkTypes, nbdErrors } from '../../protocol/nbd/constants.ts';
import {
  type Cookie,
  encodeChunkHeader,
  encodeErrorPayload,
  encodeHolePayload,
  encodeSimpleReply,
  encodeStatusPayload,
  type ReplyStyle,
  replyLength,
  type StatusRun,
  statusChunkType,
} from '../../protocol/nbd/transmission-codec.ts';
import type { ReplyOutput } from './reply-output.ts';
import type { RequestError } from './request-error.ts';

/** A request that is being answered. */
export interface Pending extends Cookie {
  readonly command: number;
  readonly flags: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
}

const empty = new Uint8Array();

/** Puts replies into an output, in the style that was negotiated. */
export class Replies {
  readonly style: ReplyStyle;
  /** Bytes of a reply to a read before its data. */
  readonly dataHeadLength: number;
  readonly #output: ReplyOutput;
  readonly #extended: boolean;

  constructor(output: ReplyOutput, style: ReplyStyle) {
    this.style = style;
    this.dataHeadLength = replyLength(style) + (style === 'simple' ? 0 : 8);
    this.#output = output;
    this.#extended = style === 'extended';
  }

  /** Hot: it is done. */
  done(request: Pending): void {
    // Only reads have to be answered in chunks, and there a chunk of data is the answer.
    if (this.style !== 'extended') this.#simple(request, 0);
    else this.#chunk(request, chunkTypes.NONE, empty, true);
  }

  /** It failed; where nothing of it was answered yet. */
  fail(request: Pending, { error, message }: RequestError): void {
    if (this.style === 'simple') this.#simple(request, error === nbdErrors.EOVERFLOW ? nbdErrors.EINVAL : error);
    else this.#chunk(request, chunkTypes.ERROR, encodeErrorPayload(error, message), true);
  }

  /** A read failed at `offset`, after what was answered; not for simple replies. */
  failAt(request: Pending, { error, message }: RequestError, offset: number): void {
    this.#chunk(request, chunkTypes.ERROR_OFFSET, encodeErrorPayload(error, message, offset), true);
  }

  /** A range of a read that is zeros; not for simple replies. */
  hole(request: Pending, offset: number, length: number, isLast: boolean): void {
    this.#chunk(request, chunkTypes.OFFSET_HOLE, encodeHolePayload(offset, length), isLast);
  }

  /** The runs of a context. */
  status(request: Pending, contextId: number, runs: readonly StatusRun[], isLast: boolean): void {
    const payload = encodeStatusPayload(contextId, runs, this.#extended);
    this.#chunk(request, statusChunkType(this.#extended), payload, isLast);
  }

  /** Hot: the head of `length` bytes of data from `offset`, `dataHeadLength` bytes long. */
  encodeDataHead(
    view: DataView,
    position: number,
    request: Pending,
    offset: number,
    length: number,
    isLast: boolean,
  ): void {
    if (this.style === 'simple') {
      encodeSimpleReply(view, position, request, 0);
      return;
    }
    const { cookieHigh, cookieLow } = request;
    const chunk = {
      cookieHigh,
      cookieLow,
      type: chunkTypes.OFFSET_DATA,
      isLast,
      offset: request.offset,
      length: length + 8,
    };
    encodeChunkHeader(view, position, this.#extended, chunk);
    const payload = position + this.dataHeadLength - 8;
    view.setUint32(payload, Math.floor(offset / 2 ** 32));
    view.setUint32(payload + 4, offset % 2 ** 32);
  }

  #simple(request: Pending, error: number): void {
    const position = this.#output.reserve(16);
    encodeSimpleReply(this.#output.view, position, request, error);
  }

  #chunk(request: Pending, type: number, payload: Uint8Array, isLast: boolean): void {
    const headLength = replyLength(this.style);
    const position = this.#output.reserve(headLength + payload.length);
    const { cookieHigh, cookieLow, offset } = request;
    const chunk = { cookieHigh, cookieLow, type, isLast, offset, length: payload.length };
    encodeChunkHeader(this.#output.view, position, this.#extended, chunk);
    this.#output.bytes.set(payload, position + headLength);
  }
}

import { crc32c } from '../../bytes/crc32c.ts';
import { headerLength, noTag, type rejectReasons, responses } from '../../protocol/iscsi/constants.ts';
import type { ReplyOutput } from '../nbd/reply-output.ts';
import type { CommandWindow } from './command-window.ts';

/** How long padded data is, in bytes. */
export function paddedLength(length: number): number {
  return (length + 3) & ~3;
}

/**
 * The PDUs on their way to an initiator, with their numbers and digests. `begin` gives where a header stands in `view`;
 * what else is to stand there is put there before `end`. Hot: bench/iscsi.ts watches it.
 */
export class PduOutput {
  readonly #output: ReplyOutput;
  readonly #window: CommandWindow;
  headerDigest = false;
  dataDigest = false;
  /** Of the next response. */
  statSn = 1;

  constructor(output: ReplyOutput, window: CommandWindow) {
    this.#output = output;
    this.#window = window;
  }

  get view(): DataView {
    return this.#output.view;
  }

  get bytes(): Uint8Array {
    return this.#output.bytes;
  }

  /** Bytes that wait to be taken. */
  get pendingLength(): number {
    return this.#output.pendingLength;
  }

  /** Where the data of the PDU at `position` begins. */
  dataStart(position: number): number {
    return position + headerLength + (this.headerDigest ? 4 : 0);
  }

  begin(code: number, flags: number, tag: number, dataLength: number): number {
    const digests = (this.headerDigest ? 4 : 0) + (this.dataDigest && dataLength > 0 ? 4 : 0);
    const position = this.#output.reserve(headerLength + digests + paddedLength(dataLength));
    return this.#fillHeader(position, code, flags, tag, dataLength);
  }

  /** A PDU whose data follows by `appendFile`; without a data digest, and in whole words. */
  beginFromFile(code: number, flags: number, tag: number, dataLength: number): number {
    const position = this.#output.reserve(headerLength + (this.headerDigest ? 4 : 0));
    return this.#fillHeader(position, code, flags, tag, dataLength);
  }

  #fillHeader(position: number, code: number, flags: number, tag: number, dataLength: number): number {
    const { bytes, view } = this.#output;
    bytes.fill(0, position, position + headerLength);
    bytes[position] = code;
    bytes[position + 1] = flags;
    view.setUint32(position + 4, dataLength);
    view.setUint32(position + 16, tag);
    view.setUint32(position + 28, this.#window.expected);
    view.setUint32(position + 32, this.#window.last);
    return position;
  }

  /** Gives the PDU that was begun last the number of a response. */
  number(position: number): void {
    this.#output.view.setUint32(position + 24, this.statSn);
    this.statSn = (this.statSn + 1) >>> 0;
  }

  /** Its data has been filled in. */
  end(position: number, dataLength: number): void {
    this.endHeader(position);
    const { bytes, view } = this.#output;
    const start = this.dataStart(position);
    const end = start + paddedLength(dataLength);
    bytes.fill(0, start + dataLength, end);
    if (this.dataDigest && dataLength > 0) view.setUint32(end, crc32c(bytes.subarray(start, end)), true);
  }

  endHeader(position: number): void {
    if (!this.headerDigest) return;
    const { bytes, view } = this.#output;
    view.setUint32(position + headerLength, crc32c(bytes.subarray(position, position + headerLength)), true);
  }

  /** Takes back the PDU that was begun last. */
  giveBack(position: number): void {
    this.#output.giveBack(position);
  }

  /** Takes back the PDU that was begun last, where its place is still being filled by somebody. */
  leave(position: number): void {
    this.#output.takeOut(position);
  }

  appendFile(fd: number, offset: number, length: number): void {
    this.#output.appendFile(fd, offset, length);
  }

  /** Ends the connection in the middle of a PDU. */
  abandon(): void {
    this.#output.abandon();
  }

  /** Hands on what has gathered, where it is enough. */
  flushPart(): void {
    this.#output.flushPart();
  }

  /** A whole response, with `data`. */
  respond(
    code: number,
    flags: number,
    tag: number,
    data: Uint8Array,
    fill?: (view: DataView, at: number) => void,
  ): void {
    const position = this.begin(code, flags, tag, data.length);
    this.bytes.set(data, this.dataStart(position));
    this.number(position);
    fill?.(this.view, position);
    this.end(position, data.length);
  }

  /** Answers a request to log in, the header of which is `request`; `text` are the keys. */
  answerLogin(
    request: DataView,
    { flags, handle, status }: { readonly flags: number; readonly handle: number; readonly status: number },
    text: Uint8Array,
  ): void {
    this.respond(responses.LOGIN, flags, request.getUint32(16), text, (view, at) => {
      for (let index = 8; index < 14; index += 1) view.setUint8(at + index, request.getUint8(index));
      view.setUint16(at + 14, handle);
      view.setUint16(at + 36, status);
    });
  }

  /** Asks whether the initiator is there. */
  ping(): void {
    const position = this.begin(responses.NOP_IN, 0x80, noTag, 0);
    this.view.setUint32(position + 20, 1);
    this.view.setUint32(position + 24, this.statSn);
    this.end(position, 0);
  }

  /** Refuses a PDU, the header of which goes back. */
  reject(reason: (typeof rejectReasons)[keyof typeof rejectReasons], header: Uint8Array): void {
    this.respond(responses.REJECT, 0x80, noTag, header.slice(0, headerLength), (view, at) => {
      view.setUint8(at + 2, reason);
    });
  }
}

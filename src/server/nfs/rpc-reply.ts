import { acceptedLength, putAccepted } from '../../protocol/rpc/call-codec.ts';
import { markLength } from '../../protocol/rpc/record-marks.ts';
import { XdrWriter } from '../../protocol/rpc/xdr-writer.ts';
import type { ReplyBuffers } from './reply-buffers.ts';

const lastFragment = 0x8000_0000;

/** One answer, in the making. Whoever has it sent disposes of it, which gives its bytes back. */
export class RpcReply implements Disposable {
  readonly #buffers: ReplyBuffers;
  readonly #xid: number;
  #writer: XdrWriter | undefined;

  constructor(buffers: ReplyBuffers, xid: number) {
    this.#buffers = buffers;
    this.#xid = xid;
  }

  /** Begins it, anew where it was begun before, with room for `length` bytes of results. */
  begin(length: number, status?: number): XdrWriter {
    const total = markLength + acceptedLength + length;
    if (this.#writer !== undefined && this.#writer.bytes.length < total) this[Symbol.dispose]();
    this.#writer ??= new XdrWriter(this.#buffers.take(total));
    this.#writer.seek(markLength);
    putAccepted(this.#writer, this.#xid, status);
    return this.#writer;
  }

  /** The whole record with its mark, valid until it is disposed of. */
  get record(): Uint8Array {
    const writer = this.#writer!;
    const end = writer.position;
    writer.seek(0);
    writer.u32be(lastFragment + end - markLength);
    writer.seek(end);
    return writer.bytes.subarray(0, end);
  }

  [Symbol.dispose](): void {
    if (this.#writer !== undefined) this.#buffers.giveBack(this.#writer.bytes);
    this.#writer = undefined;
  }
}

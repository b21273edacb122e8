import type { TransferTerms } from '../../protocol/tftp/negotiate-options.ts';
import {
  dataHeaderLength,
  decodeTransferPacket,
  encodeError,
  encodeOptionAcknowledgement,
  errorCodes,
  putDataHeader,
} from '../../protocol/tftp/packet-codec.ts';
import { ReadTransfer } from '../../protocol/tftp/read-transfer.ts';
import type { ServedFile } from '../files/file-source.ts';
import { BlockReader } from './block-reader.ts';

/** How a transfer ended: undefined where the client has it all, else why not. */
export type TransferEnd = string | undefined;

/** What a transfer sends by. */
export interface TransferSocket {
  /** Sends a packet to the client. It may be changed afterwards. */
  send(packet: Uint8Array): void;
  close(): void;
}

/** What is sent next: a packet is done with when it is sent. */
let outgoing = new Uint8Array(2 ** 11);

/** A file on its way to a client, by a socket of its own. */
export class Transfer {
  readonly #socket: TransferSocket;
  readonly #terms: TransferTerms;
  readonly #state: ReadTransfer;
  readonly #blocks: BlockReader;
  readonly #end: (end: TransferEnd) => void;
  #deadline = Number.POSITIVE_INFINITY;
  #isEnded = false;
  #isPreparing = false;

  /** @param end is called once */
  constructor(file: ServedFile, terms: TransferTerms, socket: TransferSocket, end: (end: TransferEnd) => void) {
    const { blockSize, windowSize, timeoutMs, acknowledged } = terms;
    const hasOptions = acknowledged.size > 0;
    this.#terms = terms;
    this.#state = new ReadTransfer({ size: file.size, blockSize, windowSize, timeoutMs, hasOptions });
    this.#blocks = new BlockReader(file, blockSize);
    this.#end = end;
    this.#socket = socket;
  }

  start(): void {
    if (!this.#isEnded) this.#send();
  }

  /** Whether the client has got something of it. */
  get hasProgress(): boolean {
    return this.#state.firstBlock > 1;
  }

  /** Sends again, or gives up, where it is time to; `now` is in milliseconds, as of `performance.now()`. */
  expire(now: number): void {
    if (now < this.#deadline) return;
    if (this.#state.expire()) this.#send();
    else this.#finish('the client does not answer');
  }

  /** Ends it without a word: the client is at something else. */
  abandon(): void {
    this.#finish('the client asked for another file');
  }

  /** Ends it, and tells the client why. */
  abort(reason: string): void {
    if (this.#isEnded) return;
    this.#socket.send(encodeError(errorCodes.UNDEFINED, reason));
    this.#finish(reason);
  }

  /** Frees what it holds; needed as well where `start` failed. */
  async close(): Promise<void> {
    this.#isEnded = true;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#socket.close();
    await this.#blocks[Symbol.asyncDispose]();
  }

  /** The client's port is closed: it has gone, and where all was sent it had it all. */
  refused(code: string | undefined): void {
    this.#finish(`the client is gone (${code})`);
  }

  /** Takes a packet of the client. Hot: bench/netboot.ts. */
  received(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    const packet = decodeTransferPacket(bytes);
    if (packet.kind === 'error') this.#finish(`the client gave up: ${packet.message || `error ${packet.code}`}`);
    if (packet.kind !== 'acknowledgement') return;
    if (this.#state.acknowledge(packet.block)) this.#send();
    else if (this.#state.isDone) this.#finish(undefined);
  }

  #send(): void {
    this.#deadline = performance.now() + this.#state.timeoutMs;
    if (this.#state.isOpening) this.#socket.send(encodeOptionAcknowledgement(this.#terms.acknowledged));
    // What is read meanwhile is sent from where the client then is.
    else if (!this.#isPreparing) this.#sendBlocks();
  }

  #sendBlocks(): void {
    const pending = this.#blocks.prepare(this.#state.firstBlock, this.#state.lastBlock);
    if (pending === undefined) {
      this.#sendWindow();
      return;
    }
    this.#isPreparing = true;
    pending.then(
      () => {
        this.#isPreparing = false;
        if (!this.#isEnded) this.#send();
      },
      (error: unknown) => this.abort(error instanceof Error ? error.message : 'the file cannot be read'),
    );
  }

  #sendWindow(): void {
    const { firstBlock, lastBlock } = this.#state;
    this.#state.noteSent();
    for (let number = firstBlock; number <= lastBlock; number += 1) {
      const data = this.#blocks.block(number);
      const length = dataHeaderLength + data.length;
      if (outgoing.length < length) outgoing = new Uint8Array(length);
      putDataHeader(outgoing, number);
      outgoing.set(data, dataHeaderLength);
      this.#socket.send(outgoing.subarray(0, length));
    }
  }

  #finish(end: TransferEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#end(end);
  }
}

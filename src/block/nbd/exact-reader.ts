import type { Duplex } from 'node:stream';

/** Reads exactly as many bytes as are asked for from a stream that flows in pieces. */
export class ExactReader {
  readonly #stream: Duplex;
  readonly #onData = (chunk: Uint8Array): void => this.#take(chunk);
  readonly #onEnd = (): void => this.#finish();
  #received: Uint8Array = new Uint8Array();
  #wanted = 0;
  #waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #isOver = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', this.#onData);
    for (const event of ['end', 'close', 'error']) stream.on(event, this.#onEnd);
  }

  /** The next `length` bytes; `undefined` where the stream ends before. */
  async read(length: number): Promise<Uint8Array | undefined> {
    this.#wanted = length;
    if (this.#received.length < length) {
      if (this.#isOver) return undefined;
      this.#waiting = Promise.withResolvers();
      this.#stream.resume();
      return await this.#waiting.promise;
    }
    return this.#cut();
  }

  /** Lets go of the stream, which is paused, and gives what came in and was not read. */
  detach(): Uint8Array {
    this.#stream.pause();
    this.#stream.off('data', this.#onData);
    for (const event of ['end', 'close', 'error']) this.#stream.off(event, this.#onEnd);
    return this.#received;
  }

  #take(chunk: Uint8Array): void {
    // The stream may use the chunk's memory again.
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#received.length < this.#wanted) return;
    // Nobody gets to send ahead of what is read.
    this.#stream.pause();
    this.#settle(this.#waiting === undefined ? undefined : this.#cut());
  }

  #cut(): Uint8Array {
    const bytes = this.#received.subarray(0, this.#wanted);
    this.#received = this.#received.subarray(this.#wanted);
    return bytes;
  }

  #finish(): void {
    this.#isOver = true;
    this.#settle(undefined);
  }

  #settle(bytes: Uint8Array | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(bytes);
  }
}

import type { Duplex } from 'node:stream';
import type { Wire, WireReceiver } from './wire.ts';

const nothing = new Uint8Array();

/** A wire over a stream: TLS, or standard input and output. */
export class StreamWire implements Wire {
  readonly #stream: Duplex;
  #receiver: WireReceiver | undefined;
  /** Came in, and has not been given to the receiver. */
  #rest: Uint8Array = nothing;
  #isPaused = false;
  #isGiving = false;

  readonly early: Uint8Array;

  /** `early` came in before, and was not read. */
  constructor(stream: Duplex, early: Uint8Array) {
    this.early = early;
    this.#stream = stream;
  }

  open(receiver: WireReceiver): void {
    const stream = this.#stream;
    this.#receiver = receiver;
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk));
    // A client that goes away in the middle of something is nothing to speak of.
    for (const event of ['end', 'close', 'error']) stream.on(event, () => receiver.ended());
    stream.resume();
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#give();
    if (!this.#isPaused) this.#stream.resume();
  }

  sendNow(): number {
    return 0;
  }

  sendFileNow(): number {
    return 0;
  }

  send(bytes: Uint8Array, done: () => void): void {
    this.#stream.write(bytes, (error) => {
      // Told at once: what waits would be done for nobody before the stream says that it is closed.
      if (error != null) this.#receiver?.ended();
      done();
    });
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #take(chunk: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#give();
  }

  #give(): void {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#isGiving) return;
    this.#isGiving = true;
    while (this.#rest.length > 0 && !this.#isPaused) {
      const space = receiver.space();
      const part = this.#rest.subarray(0, space.length);
      space.set(part);
      this.#rest = this.#rest.subarray(part.length);
      receiver.received(part.length);
    }
    this.#isGiving = false;
  }
}

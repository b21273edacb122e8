import type { Wire } from '../nbd/wire.ts';

/** Short answers go out together, up to so many bytes. */
const gatheredLength = 2 ** 16;
const shortLength = 2 ** 13;

/** The answers on their way to a client. Those that are there at the same time go out together, long ones as they are. */
export class RecordOutput {
  readonly #wire: Wire;
  readonly #onDrain: () => void;
  #gathered = new Uint8Array(gatheredLength);
  #length = 0;
  #isScheduled = false;
  #unsentLength = 0;
  /** When the client last took something while more was left, as of `performance.now()`. */
  progressMs = 0;

  /** `onDrain` is called when something that had to wait was sent. */
  constructor(wire: Wire, onDrain: () => void) {
    this.#wire = wire;
    this.#onDrain = onDrain;
  }

  /** Bytes that wait for the client to take them. */
  get pendingLength(): number {
    return this.#unsentLength + this.#length;
  }

  /** Whether the client has left bytes where they are. */
  get isStuck(): boolean {
    return this.#unsentLength > 0;
  }

  /** Sends a record; `done` is called when its bytes are not needed any more. */
  push(record: Uint8Array, done: () => void): void {
    if (record.length > shortLength) {
      this.#flush();
      this.#send(record, done);
      return;
    }
    if (this.#length + record.length > this.#gathered.length) this.#flush();
    this.#gathered.set(record, this.#length);
    this.#length += record.length;
    done();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // It runs when all that can go on now has done so.
    process.nextTick(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#length === 0) return;
    const bytes = this.#gathered.subarray(0, this.#length);
    this.#length = 0;
    const sent = this.#wire.sendNow(bytes);
    if (sent === bytes.length) return;
    this.#gathered = new Uint8Array(gatheredLength);
    this.#wait(bytes.subarray(sent), () => undefined);
  }

  #send(record: Uint8Array, done: () => void): void {
    const sent = this.#wire.sendNow(record);
    if (sent === record.length) done();
    else this.#wait(record.subarray(sent), done);
  }

  #wait(bytes: Uint8Array, done: () => void): void {
    if (this.#unsentLength === 0) this.progressMs = performance.now();
    this.#unsentLength += bytes.length;
    this.#wire.send(bytes, () => {
      this.#unsentLength -= bytes.length;
      this.progressMs = performance.now();
      done();
      this.#onDrain();
    });
  }
}

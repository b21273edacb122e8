import { readFully } from '../../block/positional-io.ts';
import type { Wire } from './wire.ts';

/** Where replies gather before they are sent together. */
const arenaLength = 2 ** 19;
/** So many bytes of replies are sent before the rest of a batch is handled, so that the client has something to do. */
const partLength = 2 ** 16;
/** Arenas that are kept for later. */
const spareCount = 4;

/**
 * The bytes on their way to a client. Replies are encoded one after the other into an arena, which goes out with one
 * write for a whole batch of requests and is taken back when it is sent. Hot: bench/nbd.ts watches it.
 */
export class ReplyOutput {
  readonly #wire: Wire;
  readonly #onDrain: () => void;
  readonly #spare: Uint8Array[] = [];
  /** None as long as nothing was answered: most strangers who connect never get that far. */
  #arena: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#arena.buffer);
  /** Up to where the arena was handed to the socket. */
  #sent = 0;
  #used = 0;
  #unsentLength = 0;
  #sendsFiles = false;

  /** `onDrain` is called when something has been sent. */
  constructor(wire: Wire, onDrain: () => void) {
    this.#wire = wire;
    this.#onDrain = onDrain;
  }

  /** Bytes that wait to be sent. */
  get pendingLength(): number {
    return this.#unsentLength + this.#used - this.#sent;
  }

  /** Whether it is better to wait until the client has taken what it was sent: files are only sent when nothing waits. */
  get shouldDrain(): boolean {
    return this.#sendsFiles && this.#unsentLength > 0;
  }

  /** Where the reserved bytes are encoded. */
  get bytes(): Uint8Array {
    return this.#arena;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Reserves the next `length` bytes, and gives where in `bytes` and `view` they are. */
  reserve(length: number): number {
    if (this.#used + length > this.#arena.length) this.#exchange(Math.max(length, arenaLength));
    const position = this.#used;
    this.#used += length;
    return position;
  }

  /** Gives back all from `position` on, where the last reservations began: they are not sent. */
  giveBack(position: number): void {
    this.#used = position;
  }

  /**
   * Takes the arena out, where what was reserved from `position` on is still being filled; what stands before it is
   * sent. Whoever takes it appends what is to be sent.
   */
  takeOut(position: number): Uint8Array {
    this.#used = position;
    this.flush();
    const arena = this.#arena;
    this.#renew(arenaLength);
    return arena;
  }

  /** Sends bytes after all that was reserved before. They are not to be changed any more. */
  append(bytes: Uint8Array): void {
    if (bytes.length <= arenaLength / 4) {
      const position = this.reserve(bytes.length);
      this.#arena.set(bytes, position);
      return;
    }
    this.flush();
    const sent = this.#wire.sendNow(bytes);
    if (sent < bytes.length) this.#send(bytes.subarray(sent), () => undefined);
  }

  /**
   * Sends bytes of a file after all that was reserved before, without reading them.
   *
   * @throws VarveError where the file has not got them; then what was sent is no whole reply, and the connection lost
   */
  appendFile(fd: number, offset: number, length: number): void {
    this.#sendsFiles = true;
    this.flush();
    for (let done = this.#wire.sendFileNow(fd, offset, length); done < length; ) {
      const partLength = Math.min(length - done, arenaLength);
      const position = this.reserve(partLength);
      readFully(fd, this.#arena.subarray(position, position + partLength), offset + done, 'the file');
      this.flush();
      done += partLength;
    }
  }

  /** Ends the connection at once, in the middle of a reply. */
  abandon(): void {
    this.#wire.destroy();
  }

  /** Hands on what was reserved so far, where it is enough to be worth it. */
  flushPart(): void {
    if (this.#used - this.#sent >= partLength) this.flush();
  }

  /** Hands on what was reserved so far. */
  flush(): void {
    if (this.#used === this.#sent) return;
    const arena = this.#arena;
    const part = arena.subarray(this.#sent, this.#used);
    const sent = this.#wire.sendNow(part);
    if (sent === part.length) {
      if (arena.length > arenaLength) this.#renew(arenaLength);
      this.#sent = 0;
      this.#used = 0;
      return;
    }
    this.#sent = this.#used;
    const rest = part.subarray(sent);
    // Below that another batch fits in behind.
    if (this.#used <= arenaLength / 2 && arena.length === arenaLength) this.#send(rest, () => this.#rewind(arena));
    else {
      this.#send(rest, () => this.#keep(arena));
      this.#renew(arenaLength);
    }
  }

  /** Once all of the arena is sent, it is filled from its start again. */
  #rewind(arena: Uint8Array): void {
    if (arena !== this.#arena) {
      return;
    }
    if (this.#unsentLength === 0 && this.#sent === this.#used) {
      this.#sent = 0;
      this.#used = 0;
    }
  }

  #send(bytes: Uint8Array, done: () => void): void {
    this.#unsentLength += bytes.length;
    this.#wire.send(bytes, () => {
      this.#unsentLength -= bytes.length;
      done();
      this.#onDrain();
    });
  }

  #exchange(length: number): void {
    this.flush();
    if (this.#used > 0 || length > this.#arena.length) this.#renew(length);
  }

  #renew(length: number): void {
    this.#arena = (length === arenaLength ? this.#spare.pop() : undefined) ?? new Uint8Array(length);
    this.#view = new DataView(this.#arena.buffer);
    this.#sent = 0;
    this.#used = 0;
  }

  #keep(arena: Uint8Array): void {
    if (arena.length === arenaLength && this.#spare.length < spareCount) this.#spare.push(arena);
  }
}

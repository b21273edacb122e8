/** What is kept for a client that sends short requests, in bytes. */
const shortestArenaLength = 2 ** 16;
/** What a read is given at least, while there is room in front. */
const slackLength = 4096;

/**
 * What a client has sent and nobody has taken apart. It is read into one arena again and again, in which requests are
 * handled where they stand. Hot: bench/nbd.ts watches it.
 */
export class RequestInput {
  #arena: Uint8Array = new Uint8Array(shortestArenaLength);
  #view: DataView = new DataView(this.#arena.buffer);
  #start = 0;
  #end = 0;
  /** Where the next bytes come to. */
  #space: Uint8Array = this.#arena;
  #spare: Uint8Array | undefined;

  /** Bytes that are there. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Where the first of them is in `bytes` and `view`. */
  get position(): number {
    return this.#start;
  }

  get bytes(): Uint8Array {
    return this.#arena;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Where the next bytes are to be put. All of it is free, and it is never empty. */
  space(): Uint8Array {
    const { length } = this.#arena;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    } else if (this.#start > 0 && length - this.#end < length / 4) {
      this.#arena.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    // The last bytes are for those that come when the connection goes on after it had to wait with a full arena.
    const limit = this.#end < length - slackLength ? length - slackLength : length;
    this.#space = this.#arena.subarray(this.#end, limit);
    return this.#space;
  }

  /** So many bytes were put into the space. */
  received(length: number): void {
    const isInPlace = this.#space.buffer === this.#arena.buffer && this.#space.byteOffset === this.#end;
    // The arena was exchanged since the space was given.
    if (!isInPlace) this.#arena.set(this.#space.subarray(0, length), this.#end);
    this.#end += length;
  }

  /** Takes bytes that came in some other way. */
  append(bytes: Uint8Array): void {
    this.require(bytes.length);
    this.#arena.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** So many bytes are dealt with. */
  take(length: number): void {
    this.#start += length;
  }

  clear(): void {
    this.#start = this.#end;
  }

  /** Has room for a request of `length` bytes, the first of which are there. */
  require(length: number): void {
    if (this.#arena.length >= 2 * length + slackLength) return;
    this.#exchange(new Uint8Array(2 ** Math.ceil(Math.log2(2 * length + slackLength))));
  }

  /** Gives the arena away, where something in it is still in use; what was not dealt with is moved to another one. */
  giveAway(): Uint8Array {
    const arena = this.#arena;
    const spare = this.#spare?.length === arena.length ? this.#spare : undefined;
    this.#spare = undefined;
    this.#exchange(spare ?? new Uint8Array(arena.length));
    return arena;
  }

  /** Takes back what was given away. */
  takeBack(arena: Uint8Array): void {
    if (arena.length === this.#arena.length) this.#spare = arena;
  }

  #exchange(arena: Uint8Array): void {
    arena.set(this.#arena.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#arena = arena;
    this.#view = new DataView(arena.buffer);
  }
}

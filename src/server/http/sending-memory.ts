/** Of all pieces of files that are being sent, in bytes; no piece is shorter than the least or longer than the most. */
const total = 2 ** 26;
const least = 2 ** 14;
const most = 2 ** 18;

/** Memory for what is sent of files that are not in memory: the more are sent at once, the less each has. */
export class SendingMemory {
  #count = 0;

  /** How much may be read at once now, in bytes; two such pieces are held. */
  get share(): number {
    return Math.max(least, Math.min(most, Math.floor(total / 2 / Math.max(1, this.#count))));
  }

  /** Counts a file that is sent, until it is disposed. */
  begin(): Disposable {
    this.#count += 1;
    return {
      [Symbol.dispose]: () => {
        this.#count -= 1;
      },
    };
  }
}

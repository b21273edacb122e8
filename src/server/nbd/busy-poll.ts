/** So long, in milliseconds, it pays to look out for the next request instead of going to sleep. */
const longestMs = 0.05;
const shortestMs = 0.004;
/** A turn of the event loop that finds nothing takes a few microseconds; one of that length was somebody else's. */
const interruptedMs = 0.3;
/** So long it does without where others want the processor. */
const restMs = 50;

/**
 * Keeps the event loop from going to sleep for a moment after a request, where the one before came within such a moment:
 * to be woken takes longer than to answer most requests. It adapts, as the event loops of QEMU's block devices do: where
 * requests come quickly it looks out for longer, up to 50 µs, and where they do not it gives up; and where others
 * get the processor meanwhile, who looks out is made to wait longer than who sleeps, so then it gives up for a while.
 * Hot: bench/nbd.ts watches it.
 */
export class BusyPoll {
  #lengthMs = 0;
  /** When the last one was answered. */
  #answeredMs = 0;
  /** When the event loop was last seen turning. */
  #turnedMs = 0;
  #restsUntilMs = 0;
  #isPolling = false;
  readonly #turn = (): void => {
    const now = performance.now();
    if (now - this.#turnedMs > interruptedMs) {
      this.#restsUntilMs = now + restMs;
      this.#lengthMs = 0;
    }
    this.#turnedMs = now;
    this.#isPolling = now - this.#answeredMs < this.#lengthMs;
    // As long as an immediate waits, the event loop asks for what has come, and does not wait for it.
    if (this.#isPolling) setImmediate(this.#turn);
  };

  /** Requests came in. */
  begin(): void {
    const now = performance.now();
    const isQuick = now - this.#answeredMs <= longestMs && now > this.#restsUntilMs;
    if (isQuick) this.#lengthMs = Math.min(longestMs, Math.max(shortestMs, this.#lengthMs * 2));
    else this.#lengthMs = this.#lengthMs > shortestMs ? this.#lengthMs / 2 : 0;
  }

  /** They are answered, or under way. */
  end(): void {
    this.#answeredMs = performance.now();
    this.#turnedMs = this.#answeredMs;
    if (this.#isPolling || this.#lengthMs === 0) return;
    this.#isPolling = true;
    setImmediate(this.#turn);
  }
}

/** So long, in milliseconds, it pays to look out for the next request instead of going to sleep. */
const longestMs = 0.05;
const shortestMs = 0.004;

/**
 * Keeps the event loop from going to sleep for a moment after a request, where the one before came within such a moment:
 * to be woken takes longer than to answer most requests. It adapts, as the event loops of QEMU's block devices do: where
 * requests come quickly it looks out for longer, up to 50 µs, and where they do not it gives up. Hot: bench/nbd.ts
 * watches it.
 */
export class BusyPoll {
  #lengthMs = 0;
  /** When the last one was answered. */
  #answeredMs = 0;
  #isPolling = false;
  readonly #turn = (): void => {
    this.#isPolling = performance.now() - this.#answeredMs < this.#lengthMs;
    // As long as an immediate waits, the event loop asks for what has come, and does not wait for it.
    if (this.#isPolling) setImmediate(this.#turn);
  };

  /** Requests came in. */
  begin(): void {
    const isQuick = performance.now() - this.#answeredMs <= longestMs;
    if (isQuick) this.#lengthMs = Math.min(longestMs, Math.max(shortestMs, this.#lengthMs * 2));
    else this.#lengthMs = this.#lengthMs > shortestMs ? this.#lengthMs / 2 : 0;
  }

  /** They are answered, or under way. */
  end(): void {
    this.#answeredMs = performance.now();
    if (this.#isPolling || this.#lengthMs === 0) return;
    this.#isPolling = true;
    setImmediate(this.#turn);
  }
}

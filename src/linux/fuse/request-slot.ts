import { replyHeaderLength } from './reply-codec.ts';
import { writeHeaderLength } from './request-codec.ts';

/** The longest READ and WRITE, in bytes. */
export const maximumTransfer = 2 ** 20;

/** Source: FUSE_MIN_READ_BUFFER in linux/fuse.h, which the kernel insists on. */
const otherRequestLength = 8192;

/** Room for one request and its answer. */
export interface RequestSlot {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/**
 * Room for requests that are under way at the same time: one where each is answered before the next comes, more where
 * answers take their time, and never more than `limit`.
 */
export class RequestSlots {
  readonly #free: RequestSlot[] = [];
  readonly #limit: number;
  readonly #longestRequest: number;
  #count = 0;
  #waiting: ((slot: RequestSlot) => void) | undefined;

  /** Only what `takesWrites` has room for them. */
  constructor(limit: number, takesWrites: boolean) {
    this.#limit = limit;
    this.#longestRequest = writeHeaderLength + (takesWrites ? maximumTransfer : 0) + otherRequestLength;
  }

  /** One that nobody uses, now or when one is given back. Only one caller may wait at a time. */
  take(): RequestSlot | Promise<RequestSlot> {
    const slot = this.#free.pop();
    if (slot !== undefined) return slot;
    if (this.#count === this.#limit) return new Promise((resolve) => (this.#waiting = resolve));
    this.#count += 1;
    return {
      input: new Uint8Array(this.#longestRequest),
      output: new Uint8Array(replyHeaderLength + maximumTransfer),
    };
  }

  giveBack(slot: RequestSlot): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#free.push(slot);
    else waiting(slot);
  }
}

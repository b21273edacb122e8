/** How it is found out whether an initiator goes on. Times in milliseconds, 0 is never. */
export interface InitiatorWatchOptions {
  /** After so long without a word it is asked whether it is there, and after as long again left. */
  readonly pingIntervalMs: number;
  /** It is left when it goes on with nothing for so long that it has begun, or not twice as long. */
  readonly stallTimeoutMs: number;
  /** Whether its words are listened to at present. */
  isHeard(): boolean;
  /** Whether it has begun something: it has been sent what it does not take, or has promised data that does not come. */
  owes(): boolean;
  /** Asks it. */
  ping(): void;
  /** Leaves it. */
  leave(why: string): void;
}

/** Leaves initiators that are not there any more, or that hold what is there for all. */
export class InitiatorWatch implements Disposable {
  readonly #options: InitiatorWatchOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #hasSpoken = true;
  #hasBeenAsked = false;
  #hasGoneOn = true;
  #owed = false;

  constructor(options: InitiatorWatchOptions) {
    this.#options = options;
  }

  /** From the login on. */
  begin(): void {
    const { pingIntervalMs, stallTimeoutMs } = this.#options;
    if (pingIntervalMs > 0) this.#timers.push(setInterval(() => this.#ask(), pingIntervalMs).unref());
    if (stallTimeoutMs > 0) this.#timers.push(setInterval(() => this.#look(), stallTimeoutMs).unref());
  }

  /** Hot: something came. */
  spoke(): void {
    this.#hasSpoken = true;
    this.#hasGoneOn = true;
  }

  /** Something was taken. */
  took(): void {
    this.#hasGoneOn = true;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #ask(): void {
    if (this.#hasSpoken || !this.#options.isHeard()) {
      this.#hasBeenAsked = false;
      this.#hasSpoken = false;
    } else if (this.#hasBeenAsked) {
      this.#options.leave('the initiator does not answer');
    } else {
      this.#hasBeenAsked = true;
      this.#options.ping();
    }
  }

  #look(): void {
    const owes = this.#options.owes();
    if (owes && this.#owed && !this.#hasGoneOn) this.#options.leave('the initiator does not go on');
    this.#owed = owes;
    this.#hasGoneOn = false;
  }
}

import { VarveError } from '../../base/varve-error.ts';
import type { Guest } from '../../guest/open-guest.ts';

/** How many disks are open, and for how long. */
export interface GuestPoolOptions {
  /** Disks that are open at once; 8 where nothing is given. Further ones are `BUSY` while all of these are read. */
  readonly mostOpen?: number | undefined;
  /** After which a disk is closed that nobody reads; 30,000 where nothing is given. */
  readonly idleMs?: number | undefined;
}

/** A guest that is held open. Disposing lets go of it, once. */
export interface HeldGuest extends Disposable {
  readonly guest: Guest;
}

interface Entry {
  readonly opening: Promise<Guest>;
  users: number;
  /** As of `performance.now()`. */
  idleSinceMs: number;
}

/** Guests that several read at once, each opened once; those that nobody reads stay open for a while. */
export class GuestPool implements AsyncDisposable {
  readonly #mostOpen: number;
  readonly #idleMs: number;
  /** By the name that the caller gave it; who was used the longest ago stands first. */
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ idleMs = 30_000, mostOpen = 8 }: GuestPoolOptions = {}) {
    this.#mostOpen = mostOpen;
    this.#idleMs = idleMs;
  }

  /** How many are open, or being opened. */
  get openCount(): number {
    return this.#entries.size;
  }

  /** The guest called `key`, which `open` opens where it is not open. @throws VarveError `BUSY`, and what `open` throws */
  async hold(key: string, open: () => Promise<Guest>): Promise<HeldGuest> {
    const entry = this.#entries.get(key) ?? this.#add(key, open);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users += 1;
    try {
      const guest = await entry.opening;
      let isHeld = true;
      const letGo = (): void => {
        if (isHeld) this.#release(key, entry);
        isHeld = false;
      };
      return { guest, [Symbol.dispose]: letGo };
    } catch (error) {
      entry.users -= 1;
      throw error;
    }
  }

  /** Closes what nobody reads at once, and waits for it; what is read still is closed by its last reader. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const [key, entry] of this.#entries) if (entry.users === 0) this.#close(key, entry);
    await Promise.all(this.#closing);
  }

  #add(key: string, open: () => Promise<Guest>): Entry {
    if (this.#isClosed) throw new VarveError('ABORTED', 'the server shuts down');
    if (this.#entries.size >= this.#mostOpen) this.#makeRoom();
    const entry: Entry = { opening: open(), users: 0, idleSinceMs: 0 };
    this.#entries.set(key, entry);
    entry.opening.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry;
  }

  #makeRoom(): void {
    const idle = this.#entries.entries().find(([, { users }]) => users === 0);
    if (idle === undefined) {
      throw new VarveError('BUSY', `${this.#mostOpen} disks are being read already; try again in a moment`);
    }
    this.#close(...idle);
  }

  #release(key: string, entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.idleSinceMs = performance.now();
    if (this.#isClosed) this.#close(key, entry);
    else this.#timer ??= setTimeout(() => this.#sweep(), this.#idleMs).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    let waitMs = Number.POSITIVE_INFINITY;
    for (const [key, entry] of this.#entries) {
      if (entry.users > 0) continue;
      const leftMs = entry.idleSinceMs + this.#idleMs - now;
      if (leftMs <= 0) this.#close(key, entry);
      else waitMs = Math.min(waitMs, leftMs);
    }
    if (waitMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#sweep(), waitMs + 1).unref();
  }

  #close(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    // What fails in closing something that was only read harms nobody.
    const closing = entry.opening
      .then((guest) => guest[Symbol.asyncDispose]())
      .catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

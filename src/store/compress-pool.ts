import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { allocateSlots, compressSlot, type SlotViews, slotViews } from './compress-slots.ts';

// Few chunks are packed sooner here than a thread starts (30 ms).
const slotsBeforeThreads = 4;
const maximumThreads = 8;

/**
 * Packs chunks in threads, a slot of up to 16 at a time. A slot is acquired, filled, packed, read and released; there
 * are few of them, so who reads a disk faster than it packs waits.
 */
export class CompressPool implements AsyncDisposable {
  readonly #memory: SharedArrayBuffer;
  readonly #threadCount: number;
  readonly #free: number[];
  readonly #waiting: Array<(slotIndex: number) => void> = [];
  readonly #packing = new Map<number, PromiseWithResolvers<void>>();
  readonly #threads: Worker[] = [];
  #packedInline = 0;
  #nextThread = 0;
  #failure: Error | undefined;

  constructor(threadCount = Math.min(availableParallelism(), maximumThreads)) {
    const slotCount = threadCount * 3;
    this.#threadCount = threadCount;
    this.#memory = allocateSlots(slotCount);
    this.#free = Array.from({ length: slotCount }, (_, index) => slotCount - 1 - index);
  }

  acquire(): number | Promise<number> {
    return this.#free.pop() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  views(slotIndex: number): SlotViews {
    return slotViews(this.#memory, slotIndex);
  }

  /** Packs the chunks that the slot's results list. */
  pack(slotIndex: number): Promise<void> {
    if (this.#packedInline < slotsBeforeThreads) {
      this.#packedInline += 1;
      compressSlot(this.#memory, slotIndex);
      return Promise.resolve();
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#threads.length === 0) this.#startThreads();
    const done = Promise.withResolvers<void>();
    this.#packing.set(slotIndex, done);
    this.#threads[this.#nextThread]?.postMessage(slotIndex);
    this.#nextThread = (this.#nextThread + 1) % this.#threads.length;
    return done.promise;
  }

  release(slotIndex: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(slotIndex);
    else next(slotIndex);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.terminate()));
  }

  #startThreads(): void {
    // Source runs as .ts and the package as .js.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const program = new URL(`./compress-worker.${extension}`, import.meta.url);
    for (let index = 0; index < this.#threadCount; index += 1) {
      const thread = new Worker(program, { workerData: { memory: this.#memory } });
      thread.on('message', (slotIndex: number) => this.#finish(slotIndex));
      thread.on('error', (error) => this.#fail(error));
      this.#threads.push(thread);
    }
  }

  #finish(slotIndex: number): void {
    this.#packing.get(slotIndex)?.resolve();
    this.#packing.delete(slotIndex);
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const done of this.#packing.values()) done.reject(error);
    this.#packing.clear();
  }
}

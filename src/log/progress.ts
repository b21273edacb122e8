import type { LogSink, ProgressChange } from './sink.ts';

/** What a progress is about. */
export interface ProgressOptions {
  /** What is being done: `importing web`. */
  readonly label: string;
  /** How many bytes it will be; left out, there is a rate and no end. */
  readonly totalBytes?: number;
}

/** A scope that a progress stands in; `id` tells apart those of the same name. */
export interface ProgressScope {
  readonly id: number;
  readonly name: string;
}

const sampleMs = 250;
const windowMs = 5000;

/**
 * Work that moves through bytes. Whoever starts one ends it:
 *
 *     using progress = log.progress({ label: 'importing web', totalBytes });
 */
export class Progress implements Disposable, AsyncDisposable {
  readonly label: string;
  readonly totalBytes: number | undefined;
  /** The scopes it stands in, outermost first. */
  readonly scopes: readonly ProgressScope[];
  readonly #sinks: readonly LogSink[];
  readonly #clock: () => number;
  readonly #startTime: number;
  readonly #samples: { readonly time: number; readonly bytes: number }[];
  #bytes = 0;
  #ended = false;

  /** `clock` gives milliseconds that never go back. */
  constructor(
    options: ProgressOptions,
    scopes: readonly ProgressScope[],
    sinks: readonly LogSink[],
    clock: () => number,
  ) {
    this.label = options.label;
    this.totalBytes = options.totalBytes;
    this.scopes = scopes;
    this.#sinks = sinks;
    this.#clock = clock;
    this.#startTime = clock();
    this.#samples = [{ time: this.#startTime, bytes: 0 }];
    this.#tell('started');
  }

  /** The bytes done so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How long it has been running. */
  get elapsedMs(): number {
    return this.#clock() - this.#startTime;
  }

  /** Bytes a second over the last five seconds. */
  get rate(): number {
    const now = this.#clock();
    const samples = this.#samples;
    while (samples.length > 1 && samples[1]!.time <= now - windowMs) samples.shift();
    const oldest = samples[0]!;
    return now > oldest.time ? ((this.#bytes - oldest.bytes) * 1000) / (now - oldest.time) : 0;
  }

  /** How long the rest will take at the present rate, in milliseconds, where that can be said. */
  get timeLeftMs(): number | undefined {
    const { rate } = this;
    if (this.totalBytes === undefined || rate <= 0) return undefined;
    return (Math.max(0, this.totalBytes - this.#bytes) * 1000) / rate;
  }

  /** Another `bytes` bytes are done. */
  advance(bytes: number): void {
    this.#bytes += bytes;
    const now = this.#clock();
    if (now - this.#samples.at(-1)!.time >= sampleMs) this.#sample(now);
    this.#tell('advanced');
  }

  /** It is over, finished or not; saying so twice is fine. */
  done(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell('ended');
  }

  [Symbol.dispose](): void {
    this.done();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.done();
  }

  #sample(time: number): void {
    this.#samples.push({ time, bytes: this.#bytes });
    if (this.#samples.length > windowMs / sampleMs + 1) this.#samples.shift();
  }

  #tell(change: ProgressChange): void {
    for (const sink of this.#sinks) sink.progress(this, change);
  }
}

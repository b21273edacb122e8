import { isVarveError, VarveError } from '../base/varve-error.ts';
import { type ContentRange, decodeContentRange } from '../block/http/content-range.ts';
import { describeHttpUrl } from '../block/http/http-address.ts';
import { PassingError, statusError } from '../block/http/http-error.ts';
import { conditionOf, type HttpValidator, httpValidator, sameHttpFile } from '../block/http/http-validator.ts';
import type { CountedSource, FetchedAmount } from './counted-source.ts';
import { pageAddress } from './page-address.ts';

/** What asks servers: `fetch`, or what somebody puts around it. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/** How a file is read with `fetch`. */
export interface FetchSourceOptions {
  readonly fetch: Fetch;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait before the first of three further tries, in milliseconds; each waits twice as long as the last. */
  readonly retryDelayMs?: number | undefined;
}

const retryCount = 3;

/**
 * A file on an HTTP server, read in ranges with `fetch`. That it is the same file all the time is checked with each answer,
 * by entity tag, else by time and size.
 */
export class FetchSource implements CountedSource {
  readonly #url: URL;
  readonly #label: string;
  readonly #options: FetchSourceOptions;
  readonly #closing = new AbortController();
  #validator: HttpValidator = { tag: undefined, lastModified: undefined, size: 0 };
  #requestCount = 0;
  #byteCount = 0;

  /** @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED` for a server without ranges, `CORRUPT`, `IO`, `ABORTED` */
  static async open(url: URL, options: FetchSourceOptions): Promise<FetchSource> {
    const source = new FetchSource(url, options);
    await source.#lookAt();
    return source;
  }

  private constructor(url: URL, options: FetchSourceOptions) {
    this.#url = url;
    this.#label = describeHttpUrl(url);
    this.#options = options;
  }

  /** In bytes. */
  get size(): number {
    return this.#validator.size;
  }

  get amount(): FetchedAmount {
    return { requestCount: this.#requestCount, byteCount: this.#byteCount };
  }

  /**
   * Fills `targets`, one behind the other, with what is in the file from `offset`.
   *
   * @throws VarveError `CONFLICT` where the file changed, and as `open` does
   */
  async read(targets: readonly Uint8Array[], offset: number): Promise<void> {
    const length = targets.reduce((sum, target) => sum + target.length, 0);
    const bytes = await this.#insistently(() => this.#readRange(offset, length));
    let position = 0;
    for (const target of targets) {
      target.set(bytes.subarray(position, position + target.length));
      position += target.length;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
  }

  /** Asks for one byte, which tells all. */
  async #lookAt(): Promise<void> {
    this.#validator = await this.#insistently(() =>
      this.#ask({ range: 'bytes=0-0' }, async (answer) => {
        if (answer.status === 200) throw this.#noRanges();
        if (answer.status !== 206 && answer.status !== 416) throw this.#statusError(answer);
        const { range, size } = this.#rangeOf(answer);
        if (size === undefined) throw this.#refuse('UNSUPPORTED', 'the server does not tell how long it is');
        const isEmpty = answer.status === 416 && size === 0;
        if (!isEmpty && (range?.offset !== 0 || range.length !== 1)) throw this.#wrongRange();
        if (!isEmpty) await this.#body(answer, 1);
        return httpValidator(Object.fromEntries(answer.headers), size);
      }),
    );
  }

  async #readRange(offset: number, length: number): Promise<Uint8Array> {
    const pinned = this.#validator;
    const headers = { ...this.#condition(), range: `bytes=${offset}-${offset + length - 1}` };
    return await this.#ask(headers, async (answer) => {
      this.#requirePart(answer, pinned);
      const { range: given, size = pinned.size } = this.#rangeOf(answer);
      if (!sameHttpFile(pinned, httpValidator(Object.fromEntries(answer.headers), size))) throw this.#changed();
      if (given?.offset !== offset || given.length !== length) throw this.#wrongRange();
      return await this.#body(answer, length);
    });
  }

  /**
   * A page of another origin may send `If-Range` only where the server was asked for leave first and knows that question;
   * there the answers are compared, and nothing more.
   */
  #condition(): Record<string, string> {
    const { origin } = pageAddress() ?? this.#url;
    return origin === this.#url.origin ? conditionOf(this.#validator) : {};
  }

  /** @throws VarveError where an answer does not give a part of the file */
  #requirePart(answer: Response, pinned: HttpValidator): void {
    const { headers, status } = answer;
    if (status === 206) return;
    if (status === 416 || status === 412) throw this.#changed();
    if (status !== 200) throw this.#statusError(answer);
    const size = Number(headers.get('content-length') ?? pinned.size);
    throw sameHttpFile(pinned, httpValidator(Object.fromEntries(headers), size)) ? this.#noRanges() : this.#changed();
  }

  #rangeOf({ headers }: Response): ContentRange {
    const text = headers.get('content-range');
    if (text === null) {
      const advice = 'Access-Control-Expose-Headers: Content-Range, ETag';
      throw this.#refuse(
        'UNSUPPORTED',
        `the server does not let this page see which bytes it gives; it needs ${advice}`,
      );
    }
    try {
      return decodeContentRange(text);
    } catch (error) {
      throw this.#refuse('CORRUPT', (error as Error).message);
    }
  }

  /** The body of an answer, of which no more than `length` bytes are taken. */
  async #body(answer: Response, length: number): Promise<Uint8Array> {
    const target = new Uint8Array(length);
    const reader = answer.body?.getReader();
    let done = 0;
    for (;;) {
      const { value: piece } = (await reader?.read()) ?? {};
      if (piece === undefined) break;
      this.#byteCount += piece.length;
      if (done + piece.length > length) throw this.#refuse('CORRUPT', 'the server sends more than it was asked for');
      target.set(piece, done);
      done += piece.length;
    }
    if (done < length) throw new PassingError('IO', `cannot read ${this.#label}: the answer ends early`);
    return target;
  }

  /** What `use` leaves of an answer is not read. */
  async #ask<T>(headers: Record<string, string>, use: (answer: Response) => Promise<T>): Promise<T> {
    const ending = new AbortController();
    const signals = [ending.signal, this.#closing.signal];
    if (this.#options.signal !== undefined) signals.push(this.#options.signal);
    this.#requestCount += 1;
    try {
      const signal = AbortSignal.any(signals);
      // Parts of several states of a file must not be mixed by a cache.
      return await use(await this.#options.fetch(this.#url, { headers, signal, cache: 'no-store' }));
    } catch (error) {
      throw this.#connectionError(error);
    } finally {
      ending.abort();
    }
  }

  #connectionError(cause: unknown): unknown {
    if (isVarveError(cause)) return cause;
    const what = `cannot read ${this.#label}`;
    if (this.#options.signal?.aborted || this.#closing.signal.aborted) {
      return new VarveError('ABORTED', `${what}: it was stopped`, { cause });
    }
    const why = 'the server cannot be reached, or does not allow this page to read from it (CORS)';
    return new PassingError('IO', `${what}: ${why}: ${(cause as Error).message}`, { cause });
  }

  /** Asks again where that may help. */
  async #insistently<T>(ask: () => Promise<T>): Promise<T> {
    const { retryDelayMs = 200 } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof PassingError) || attempt >= retryCount) throw error;
        const delayMs = Math.max(retryDelayMs * 2 ** attempt, error.retryAfterMs);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  #statusError({ headers, status }: Response): VarveError {
    return statusError(this.#label, status, headers.get('retry-after') ?? undefined);
  }

  #noRanges(): VarveError {
    return this.#refuse(
      'UNSUPPORTED',
      'the server gives whole files only, no ranges; download it, and choose the file',
    );
  }

  #changed(): VarveError {
    return this.#refuse('CONFLICT', 'it is another file by now than when it was opened; begin again');
  }

  #wrongRange(): VarveError {
    return this.#refuse('CORRUPT', 'the server gives other bytes than it was asked for');
  }

  #refuse(code: VarveError['code'], why: string): VarveError {
    return new VarveError(code, `cannot read ${this.#label}: ${why}`);
  }
}

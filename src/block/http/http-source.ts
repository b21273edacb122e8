import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { type ContentRange, decodeContentRange } from './content-range.ts';
import { fillFrom } from './fill-from.ts';
import { describeHttpUrl, type HttpAddress } from './http-address.ts';
import { HttpClient } from './http-client.ts';
import { PassingError, statusError } from './http-error.ts';
import { conditionOf, type HttpValidator, httpValidator, sameHttpFile } from './http-validator.ts';

/** How a file is read over HTTP. */
export interface HttpSourceOptions {
  /** Connections at a time; 8 where nothing is given. */
  readonly connections?: number | undefined;
  /** How long a server may be silent, in milliseconds; 30 seconds where nothing is given. */
  readonly timeoutMs?: number | undefined;
  /** How long to wait before the first of five further tries, in milliseconds; each waits twice as long as the last. */
  readonly retryDelayMs?: number | undefined;
}

const retryCount = 5;
const commonHeaders = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'varve' };

/**
 * A file on an HTTP server, read in ranges. That it is the same file all the time is checked with each answer, by entity
 * tag, else by time and size.
 */
export class HttpSource {
  readonly label: string;
  readonly #client: HttpClient;
  /** As it was given. */
  readonly #address: HttpAddress;
  readonly #retryDelayMs: number;
  /** Where redirects led. */
  #from: HttpAddress;
  #validator: HttpValidator | undefined;
  readonly #closing = new AbortController();

  /** @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED` for a server without ranges, `CORRUPT`, `IO` */
  static async open(address: HttpAddress, options: HttpSourceOptions = {}): Promise<HttpSource> {
    const source = new HttpSource(address, options);
    try {
      source.#validator = await source.#insistently((from) => source.#lookAt(from));
      return source;
    } catch (error) {
      source.close();
      throw error;
    }
  }

  private constructor(
    address: HttpAddress,
    { connections = 8, retryDelayMs = 200, timeoutMs = 30_000 }: HttpSourceOptions,
  ) {
    this.label = describeHttpUrl(address.url);
    this.#address = address;
    this.#from = address;
    this.#client = new HttpClient({ connections, timeoutMs });
    this.#retryDelayMs = retryDelayMs;
  }

  /** In bytes. */
  get size(): number {
    return this.#validator?.size ?? 0;
  }

  /**
   * Fills `targets`, one behind the other, with what is in the file from `offset`.
   *
   * @throws VarveError `CONFLICT` where the file changed, and as `open` does
   */
  async read(targets: readonly Uint8Array[], offset: number): Promise<void> {
    await this.#insistently((from) => this.#readRange(from, targets, offset));
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
    this.#client.close();
  }

  /** Asks for one byte, which tells all. */
  async #lookAt(address: HttpAddress): Promise<HttpValidator> {
    const headers = { ...commonHeaders, range: 'bytes=0-0' };
    return await this.#client.get(address, { headers, length: 1 }, async (answer, from) => {
      const { headers: said, statusCode: status = 0 } = answer;
      if (status === 200) throw this.#noRanges();
      if (status !== 206 && status !== 416) throw statusError(this.label, status, said['retry-after']);
      const { range, size } = this.#rangeOf(answer);
      if (size === undefined) throw this.#refuse('UNSUPPORTED', 'the server does not tell how long it is');
      const isEmpty = status === 416 && size === 0;
      if (!isEmpty && (range?.offset !== 0 || range.length !== 1)) throw this.#wrongRange();
      if (!isEmpty) await fillFrom(answer, [new Uint8Array(1)], this.label);
      this.#from = from;
      return httpValidator(said, size);
    });
  }

  async #readRange(address: HttpAddress, targets: readonly Uint8Array[], offset: number): Promise<void> {
    const pinned = this.#validator as HttpValidator;
    const length = targets.reduce((sum, target) => sum + target.length, 0);
    const range = `bytes=${offset}-${offset + length - 1}`;
    const headers = { ...commonHeaders, ...conditionOf(pinned), range };
    await this.#client.get(address, { headers, length }, async (answer, from) => {
      this.#requirePart(answer, pinned);
      const { range: given, size = pinned.size } = this.#rangeOf(answer);
      if (!sameHttpFile(pinned, httpValidator(answer.headers, size))) throw this.#changed();
      if (given?.offset !== offset || given.length !== length) throw this.#wrongRange();
      const announced = answer.headers['content-length'];
      if (announced !== undefined && announced !== String(length)) throw this.#wrongRange();
      await fillFrom(answer, targets, this.label);
      this.#from = from;
    });
  }

  /** @throws VarveError where an answer does not give a part of the file */
  #requirePart({ headers, statusCode: status = 0 }: IncomingMessage, pinned: HttpValidator): void {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw this.#refuse('UNSUPPORTED', `the server packs it (${encoding.slice(0, 20)}) though it was asked not to`);
    }
    if (status === 206) return;
    if (status === 416 || status === 412) throw this.#changed();
    if (status !== 200) throw statusError(this.label, status, headers['retry-after']);
    const size = Number(headers['content-length'] ?? pinned.size);
    throw sameHttpFile(pinned, httpValidator(headers, size)) ? this.#noRanges() : this.#changed();
  }

  #rangeOf({ headers }: IncomingMessage): ContentRange {
    try {
      return decodeContentRange(headers['content-range']);
    } catch (error) {
      throw this.#refuse('CORRUPT', (error as Error).message);
    }
  }

  /** Asks again where that may help: after a while, and where a redirect led somewhere else, from where it began. */
  async #insistently<T>(ask: (from: HttpAddress) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const from = this.#from;
      try {
        return await ask(from);
      } catch (error) {
        const isMoved = isVarveError(error, 'NOT_FOUND', 'PERMISSION') && from !== this.#address;
        this.#from = this.#address;
        // When nothing was read yet, a host where nobody listens is more likely a wrong address.
        const isPassing = error instanceof PassingError && (this.#validator !== undefined || error.code === 'IO');
        const isOver = attempt >= retryCount || this.#closing.signal.aborted;
        if (!(isMoved || isPassing) || isOver) throw error;
        const retryAfterMs = error instanceof PassingError ? error.retryAfterMs : 0;
        const delayMs = Math.max(this.#retryDelayMs * 2 ** attempt, retryAfterMs);
        await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {
          throw error;
        });
      }
    }
  }

  #noRanges(): VarveError {
    return this.#refuse('UNSUPPORTED', 'the server gives whole files only, no ranges; download it, and name the file');
  }

  #changed(): VarveError {
    return this.#refuse('CONFLICT', 'it is another file by now than when it was opened; begin again');
  }

  #wrongRange(): VarveError {
    return this.#refuse('CORRUPT', 'the server gives other bytes than it was asked for');
  }

  #refuse(code: VarveError['code'], why: string): VarveError {
    return new VarveError(code, `cannot read ${this.label}: ${why}`);
  }
}

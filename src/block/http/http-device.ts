import { alignDown } from '../../bytes/align.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block-device.ts';
import { BlockFetcher } from './block-fetcher.ts';
import type { HttpAddress } from './http-address.ts';
import { HttpSource, type HttpSourceOptions } from './http-source.ts';

/** What is fetched and kept, in bytes: an image's tables are read in small pieces that lie together. */
const blockSize = 2 ** 17;
/** Blocks that one request asks for at most. */
const requestBlockCount = 8;
const defaultConnections = 8;
/** What is kept, in bytes. */
const capacity = 2 ** 25;
/** How far ahead of somebody who reads in order is read at most, in blocks. */
const longestAhead = 64;
/** A read is taken apart into pieces of this many blocks, so that what is fetched for it at a time is bounded. */
const windowBlockCount = 64;

/**
 * A file on an HTTP server, to be read. The server has to know ranges. What was read is kept, up to 32 MiB, neighbours are
 * fetched together, several requests are under way at a time, and who reads in order finds what comes next there already.
 * A server that fails for a moment is asked again, up to five times, and a file that is replaced meanwhile is an error.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED` for a server without ranges, `CORRUPT`, `IO`; reading also
 *   `CONFLICT` for a file that changed
 */
export async function openHttpDevice(address: HttpAddress, options: HttpSourceOptions = {}): Promise<BlockDevice> {
  const { connections = defaultConnections } = options;
  return new HttpDevice(await HttpSource.open(address, { ...options, connections }), connections);
}

class HttpDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize = blockSize;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: false };
  readonly #source: HttpSource;
  readonly #fetcher: BlockFetcher;
  /** Where whoever reads in order goes on, in bytes. */
  #expected = 0;
  /** In blocks. */
  #ahead = 0;
  /** Up to which block was asked for ahead already. */
  #askedEnd = 0;

  constructor(source: HttpSource, requestCount: number) {
    this.size = source.size;
    this.#source = source;
    this.#fetcher = new BlockFetcher(source, { blockSize, requestBlockCount, requestCount, capacity });
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    this.#noticeOrder(offset, target.length);
    const block = this.#fetcher.kept(Math.floor(offset / blockSize));
    const start = offset % blockSize;
    if (block === undefined || start + target.length > block.length) return this.#readBlocks(target, offset);
    target.set(block.subarray(start, start + target.length));
    this.#readAhead(offset + target.length);
  }

  write(): never {
    throw new TypeError('what is on an HTTP server is not written');
  }

  zero(): never {
    return this.write();
  }

  trim(): never {
    return this.write();
  }

  flush(): void {}

  *extents(offset: number, length: number): Generator<Extent, undefined> {
    yield { offset, length, kind: 'data' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.close();
  }

  async #readBlocks(target: Uint8Array, offset: number): Promise<void> {
    const end = offset + target.length;
    for (let position = offset; position < end; ) {
      const first = Math.floor(position / blockSize);
      const last = Math.min(Math.ceil(end / blockSize), first + windowBlockCount);
      const wanted = this.#fetcher.want(first, last);
      this.#readAhead(Math.min(end, last * blockSize));
      for (const [index, block] of (await Promise.all(wanted)).entries()) {
        const blockStart = (first + index) * blockSize;
        const part = block.subarray(position - blockStart, end - blockStart);
        target.set(part, position - offset);
        position += part.length;
      }
    }
  }

  /** Requests of somebody who copies come in order by their starts, several at a time. */
  #noticeOrder(offset: number, length: number): void {
    const isInOrder = Math.abs(offset - this.#expected) <= blockSize;
    if (!isInOrder) this.#askedEnd = 0;
    this.#ahead = isInOrder ? Math.min(Math.max(2 * this.#ahead, 2), longestAhead) : 0;
    this.#expected = offset + length;
  }

  /** In whole requests, so that there are few. */
  #readAhead(position: number): void {
    if (this.#ahead < requestBlockCount) return;
    const first = Math.max(Math.ceil(position / blockSize), this.#askedEnd);
    const count = Math.ceil(this.size / blockSize);
    const furthest = Math.ceil(position / blockSize) + this.#ahead;
    const end = furthest >= count ? count : alignDown(furthest, requestBlockCount);
    if (first >= end) return;
    this.#askedEnd = end;
    this.#fetcher.prefetch(first, end);
  }
}

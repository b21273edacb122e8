import type { BlockDevice } from '../block/block-device.ts';
import { fetchedDevice } from '../block/http/fetched-device.ts';
import { describeHttpUrl, parseHttpAddress } from '../block/http/http-address.ts';
import { BlobSource } from './blob-source.ts';
import type { CountedSource } from './counted-source.ts';
import { type Fetch, FetchSource } from './fetch-source.ts';
import { pageAddress } from './page-address.ts';

/** Where a disk file is: bytes or a file that somebody chose, or the address of one on a server, relative to the page. */
export type DiskSource = Blob | URL | string;

/** How a disk file is read. */
export interface OpenSourceOptions {
  /** How much of each file is kept in memory, in bytes; 32 MiB where nothing is given. */
  readonly cacheSize?: number | undefined;
  /** Asks servers in the place of `fetch`: to send credentials or headers of one's own. */
  readonly fetch?: Fetch | undefined;
  /** Stops all requests to servers. */
  readonly signal?: AbortSignal | undefined;
}

/** A disk file that is open. */
export interface OpenedSource {
  /** What errors call it. */
  readonly label: string;
  readonly file: BlockDevice;
  readonly source: CountedSource;
}

/** What is fetched and kept, in bytes: the least that is worth a request, as clusters of most images have it. */
const blockSize = 2 ** 16;
/** Blocks that one request asks for at most, and how far ahead is read: who looks at a few files reads little in order. */
const requestBlockCount = 8;
const requestCount = 6;
const defaultCacheSize = 2 ** 25;

/** @throws VarveError `INVALID` for an address that is none of HTTP, and as `FetchSource.open` does */
export async function openSource(from: DiskSource, options: OpenSourceOptions): Promise<OpenedSource> {
  const { cacheSize: capacity = defaultCacheSize } = options;
  const { label, source } = from instanceof Blob ? blobSource(from) : await addressSource(from, options);
  const settings = { blockSize, requestBlockCount, requestCount, capacity, longestAhead: requestBlockCount };
  return { label, source, file: fetchedDevice(source, settings) };
}

function blobSource(blob: Blob): Omit<OpenedSource, 'file'> {
  const label = 'name' in blob && typeof blob.name === 'string' ? blob.name : 'the disk';
  return { label, source: new BlobSource(blob, label) };
}

async function addressSource(from: URL | string, options: OpenSourceOptions): Promise<Omit<OpenedSource, 'file'>> {
  const base = pageAddress();
  const text = String(from);
  const { authorization, url } = parseHttpAddress(URL.canParse(text, base?.href) ? new URL(text, base).href : text);
  const ask: Fetch = options.fetch ?? ((to, init) => fetch(to, init));
  const asUser = (user: string): Fetch => {
    return (to, init) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', user);
      return ask(to, { ...init, headers });
    };
  };
  const settings = { fetch: authorization === undefined ? ask : asUser(authorization), signal: options.signal };
  return { label: describeHttpUrl(url), source: await FetchSource.open(url, settings) };
}

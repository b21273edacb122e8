import type { BlockDevice } from '../block-device.ts';
import { fetchedDevice } from './fetched-device.ts';
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

/**
 * A file on an HTTP server, to be read. The server has to know ranges. What was read is kept, up to 32 MiB, neighbours are
 * fetched together, several requests are under way at a time, and who reads in order finds what comes next there already.
 * A server that fails for a moment is asked again, up to five times, and a file that is replaced meanwhile is an error.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `UNSUPPORTED` for a server without ranges, `CORRUPT`, `IO`; reading also
 *   `CONFLICT` for a file that changed
 */
export async function openHttpDevice(address: HttpAddress, options: HttpSourceOptions = {}): Promise<BlockDevice> {
  const { connections: requestCount = defaultConnections } = options;
  const source = await HttpSource.open(address, { ...options, connections: requestCount });
  return fetchedDevice(source, { blockSize, requestBlockCount, requestCount, capacity, longestAhead });
}

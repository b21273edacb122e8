import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request for a part of what a test serves. */
interface RangeRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Counts the requests, from 0. */
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

/** What a test server does. */
export interface RangeServerOptions {
  /** What is served; asked for each time, so that it may change. */
  readonly content: () => Uint8Array;
  /** Headers of every answer with a part; an entity tag where nothing is given. */
  readonly headers?: () => Record<string, string>;
  /** Answers in another way; true where it did. */
  readonly instead?: (asked: RangeRequest) => boolean | Promise<boolean>;
}

/** A server for one test. */
export interface RangeServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The ranges that were asked for, in order. */
  readonly asked: readonly { readonly offset: number; readonly length: number }[];
}

/** Serves bytes over HTTP on this machine, in ranges, on any path. */
export async function serveRanges({ content, headers, instead }: RangeServerOptions): Promise<RangeServer> {
  const asked: { offset: number; length: number }[] = [];
  const server = http.createServer(async (request, response) => {
    const bytes = content();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const offset = Number(first);
    const length = Math.min(Number(last) + 1, bytes.length) - offset;
    const index = asked.push({ offset, length }) - 1;
    if (await instead?.({ request, response, index, offset, length })) return;
    const common = headers?.() ?? { etag: '"1"' };
    if (length <= 0) return response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    const range = `bytes ${offset}-${offset + length - 1}/${bytes.length}`;
    const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === common.etag;
    if (!isSame) return response.writeHead(200, { ...common, 'content-length': bytes.length }).end(bytes);
    response.writeHead(206, { ...common, 'content-range': range, 'content-length': length });
    return response.end(bytes.subarray(offset, offset + length));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/disk.raw`,
    port,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

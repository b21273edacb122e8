import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemError } from '../../base/varve-error.ts';
import type { UsageIndex } from '../../guest/usage/usage-index.ts';
import {
  type UsagePageOptions,
  usageLegend,
  usagePage,
  usageSection,
  usageStyle,
} from '../../guest/usage/usage-page.ts';

/** Pages that are being served. Disposing ends that. */
export interface UsageServer extends AsyncDisposable {
  /** Where the first page is. Whoever knows this address may read them. */
  readonly url: string;
}

/** What is served, and where. */
export interface ServeUsageOptions extends Omit<UsagePageOptions, 'link'> {
  /** The TCP port; any that is free where it is 0. */
  readonly port: number;
}

/**
 * Serves the pages of an index over HTTP, on the loopback interface only and below a path that nobody can guess, as other
 * users of the machine can reach its ports.
 *
 * @throws VarveError `BUSY`, `PERMISSION` where the port is not to be had
 */
export async function serveUsage(index: UsageIndex, { port, ...options }: ServeUsageOptions): Promise<UsageServer> {
  const secret = randomBytes(18).toString('base64url');
  const totals = index.totals();
  const link = (directoryIndex: number): string => (directoryIndex === 0 ? './' : `./${directoryIndex}`);
  const page = (directoryIndex: number): string => {
    const { path } = index.directories[directoryIndex]!;
    const section = usageSection(index, totals, directoryIndex, { ...options, link });
    return usagePage(`${options.disk}:${options.nameText(path)}`, [usageLegend(options), section]);
  };
  const server = http.createServer((request, response) => {
    const status = refusal(request, addressOf(server));
    const which = status === undefined ? directoryOf(request.url ?? '', secret, index.directories.length) : undefined;
    if (which === undefined) answer(response, status ?? 404, 'text/plain', 'There is nothing here.\n');
    else answer(response, 200, 'text/html', page(which));
  });
  server.maxConnections = 64;
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    throw systemError(`listen on 127.0.0.1:${port}`, error);
  }
  return {
    url: `http://${addressOf(server)}/${secret}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function addressOf(server: http.Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The status for a request that is no page's. A page of somebody else's that found its way to this port has another host. */
function refusal({ headers, method }: http.IncomingMessage, address: string): number | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 405;
  return headers.host === address || headers.host === address.replace('127.0.0.1', 'localhost') ? undefined : 403;
}

/** Which directory an address is of: `/SECRET/` of the first, `/SECRET/12` of that one. */
function directoryOf(url: string, secret: string, directoryCount: number): number | undefined {
  const [, given = '', digits = ''] = /^\/([^/]{1,64})\/(\d{0,9})$/.exec(url) ?? [];
  const known = Buffer.from(secret);
  const presented = Buffer.from(given);
  if (known.length !== presented.length || !timingSafeEqual(known, presented)) return undefined;
  return Number(digits) < directoryCount ? Number(digits) : undefined;
}

const styleHash = createHash('sha256').update(usageStyle).digest('base64');

function answer(response: http.ServerResponse, status: number, type: string, body: string): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': bytes.length,
    'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'; base-uri 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    ...(status === 405 && { Allow: 'GET, HEAD' }),
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

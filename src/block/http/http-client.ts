import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { VarveError } from '../../base/varve-error.ts';
import { describeHttpUrl, type HttpAddress } from './http-address.ts';
import { connectionError } from './http-error.ts';

/** How servers are talked to. */
export interface HttpClientOptions {
  /** Connections to keep; requests beyond that wait. */
  readonly connections: number;
  /** How long a server may be silent, in milliseconds. */
  readonly timeoutMs: number;
}

/** What a request is, besides where it goes. */
export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  /** How many bytes are expected, which sets how long all of it may take. */
  readonly length: number;
}

const redirects = [301, 302, 303, 307, 308];
const maximumRedirectCount = 10;
/** Who sends slower than this many bytes a second means to keep us busy. */
const slowestRate = 16_384;

/**
 * Asks HTTP servers for files, over connections that are kept, through a proxy where `HTTP_PROXY`, `HTTPS_PROXY` and
 * `NO_PROXY` say so. Certificates are checked as everywhere in Node (`NODE_EXTRA_CA_CERTS`).
 */
export class HttpClient {
  readonly #agents: { readonly 'http:': http.Agent; readonly 'https:': https.Agent };
  readonly #timeoutMs: number;

  constructor({ connections, timeoutMs }: HttpClientOptions) {
    const options = { keepAlive: true, maxSockets: connections, proxyEnv: process.env };
    this.#agents = { 'http:': new http.Agent(options), 'https:': new https.Agent(options) };
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Asks for a file, follows redirects, though none that gives up TLS, and gives the answer to `use`, with where it came
   * from. What `use` leaves of the answer is not read.
   *
   * @throws VarveError `PERMISSION`, `NOT_FOUND`, `CORRUPT`, `IO`, and what `use` throws
   */
  async get<T>(
    address: HttpAddress,
    request: HttpRequest,
    use: (answer: IncomingMessage, from: HttpAddress) => Promise<T>,
  ): Promise<T> {
    let from = address;
    for (let count = 0; count <= maximumRedirectCount; count += 1) {
      const result = await this.#ask(from, request, async (answer) => {
        const { location } = answer.headers;
        if (location === undefined || !redirects.includes(answer.statusCode ?? 0)) {
          return { value: await use(answer, from) };
        }
        return redirected(from, location);
      });
      if ('value' in result) return result.value;
      from = result;
    }
    throw new VarveError('CORRUPT', `cannot read ${describeHttpUrl(address.url)}: it leads from one place to another`);
  }

  /** Ends what is under way. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  async #ask<T>(
    { authorization, url }: HttpAddress,
    { headers, length }: HttpRequest,
    use: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const label = describeHttpUrl(url);
    const isSecure = url.protocol === 'https:';
    const request = (isSecure ? https : http).request(url, {
      agent: this.#agents[isSecure ? 'https:' : 'http:'],
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      timeout: this.#timeoutMs,
    });
    const giveUp = (): unknown => request.destroy(new Error('the server does not answer in time'));
    request.on('timeout', giveUp);
    const timer = setTimeout(giveUp, 2 * this.#timeoutMs + (length / slowestRate) * 1000);
    let answer: IncomingMessage | undefined;
    try {
      answer = await answerTo(request);
      return await use(answer);
    } catch (error) {
      throw connectionError(label, error);
    } finally {
      clearTimeout(timer);
      // A connection whose answer was read to its end is kept.
      if (!answer?.complete) request.destroy();
    }
  }
}

function answerTo(request: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
    request.on('close', () => reject(new Error('the server closed the connection')));
    request.end();
  });
}

/** @throws VarveError `PERMISSION`, `CORRUPT` */
function redirected({ authorization, url }: HttpAddress, location: string): HttpAddress {
  const label = describeHttpUrl(url);
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  if (next === undefined || !/^https?:$/.test(next.protocol)) {
    throw new VarveError('CORRUPT', `cannot read ${label}: it leads to no address of HTTP`);
  }
  if (url.protocol === 'https:' && next.protocol === 'http:') {
    const what = `it leads to ${describeHttpUrl(next)}, without TLS`;
    throw new VarveError('PERMISSION', `cannot read ${label}: ${what}; give that address if you trust it`);
  }
  next.username = '';
  next.password = '';
  // A password is for the server that it was given for.
  return { url: next, authorization: next.origin === url.origin ? authorization : undefined };
}

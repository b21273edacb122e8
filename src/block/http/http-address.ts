import { VarveError } from '../../base/varve-error.ts';

/** Where a file is to be had over HTTP. */
export interface HttpAddress {
  /** Without a user and a password. */
  readonly url: URL;
  /** The value of the `Authorization` header, where the address names a user. */
  readonly authorization: string | undefined;
}

/**
 * Takes an `http://` or `https://` address apart. A user and a password in it become basic authentication.
 *
 * @throws VarveError `INVALID`; the message does not repeat the address, which may hold a password
 */
export function parseHttpAddress(text: string): HttpAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !isHttp(url)) throw invalid('it is no http:// or https:// address');
  const authorization = authorizationOf(url);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { url, authorization };
}

/** Whether an address is one of HTTP, with or without TLS. */
function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** The address for messages: without what may be secret, which is the user, the password and the query. */
export function describeHttpUrl({ origin, pathname, search }: URL): string {
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}

/** Source: RFC 7617. */
function authorizationOf({ password, username }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
  } catch {
    throw invalid('a % in its user or password is followed by no hexadecimal digits');
  }
}

function invalid(why: string): VarveError {
  return new VarveError('INVALID', `cannot understand the address of a disk: ${why}`);
}

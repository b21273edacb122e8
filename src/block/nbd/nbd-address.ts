import { VarveError } from '../../base/varve-error.ts';
import type { ClientTlsOptions } from './client-tls.ts';

/** Where an export is to be had. */
export interface NbdAddress {
  readonly server:
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'unix'; readonly path: string };
  /** Empty for the default one. */
  readonly exportName: string;
  /** How TLS is to be done; left out where nothing is protected. */
  readonly tls?: ClientTlsOptions;
}

const defaultPort = 10809;

/**
 * Takes an NBD URI apart: `nbd://host:port/export`, `nbd+unix:///export?socket=/path`, and `nbds…` with TLS, which takes
 * `tls-certificates=DIRECTORY`, `tls-psk-file=PATH` and `tls-hostname=NAME`, as libnbd does.
 * Source: NetworkBlockDevice/nbd doc/uri.md.
 *
 * @throws VarveError `INVALID`
 */
export function parseNbdUri(uri: string): NbdAddress {
  const [, scheme = '', unix] = /^(nbds?)(\+unix)?:\/\//i.exec(uri) ?? [];
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (scheme === '' || url === undefined) throw invalid('it is no nbd:// or nbd+unix:// address');
  const exportName = decoded(url.pathname.replace(/^\//, ''));
  if (url.password !== '') throw invalid('a password does not belong into an address');
  if (unix !== undefined) {
    const path = url.searchParams.get('socket');
    if (path === null || path === '') throw invalid('?socket=PATH is missing');
    return { server: { kind: 'unix', path }, exportName, ...tlsOf(scheme, url, 'localhost') };
  }
  if (url.hostname === '') throw invalid('the host is missing');
  const host = decoded(url.hostname).replace(/^\[|\]$/g, '');
  const port = url.port === '' ? defaultPort : Number(url.port);
  return { server: { kind: 'tcp', host, port }, exportName, ...tlsOf(scheme, url, host) };
}

function tlsOf(scheme: string, { searchParams, username }: URL, host: string): Pick<NbdAddress, 'tls'> {
  if (scheme.toLowerCase() !== 'nbds') return {};
  const user = username === '' ? undefined : decoded(username);
  return {
    tls: {
      certificates: searchParams.get('tls-certificates') ?? undefined,
      pskFile: searchParams.get('tls-psk-file') ?? undefined,
      host: searchParams.get('tls-hostname') ?? host,
      user,
    },
  };
}

/** The address in words, for messages. */
export function describeNbdAddress({ exportName, server }: NbdAddress): string {
  const place = server.kind === 'unix' ? server.path : `${server.host}:${server.port}`;
  return exportName === ''
    ? `the NBD server at ${place}`
    : `${JSON.stringify(exportName)} of the NBD server at ${place}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % is followed by no hexadecimal digits');
  }
}

function invalid(why: string): VarveError {
  return new VarveError('INVALID', `cannot understand the address of an NBD export: ${why}`);
}

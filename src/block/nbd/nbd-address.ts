import { VarveError } from '../../base/varve-error.ts';

/** Where an export is to be had. */
export interface NbdAddress {
  readonly server:
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'unix'; readonly path: string };
  /** Empty for the default one. */
  readonly exportName: string;
  readonly tls: boolean;
}

const defaultPort = 10809;

/**
 * Takes an NBD URI apart: `nbd://host:port/export`, `nbd+unix:///export?socket=/path`, and `nbds…` with TLS.
 * Source: NetworkBlockDevice/nbd doc/uri.md.
 *
 * @throws VarveError `INVALID`
 */
export function parseNbdUri(uri: string): NbdAddress {
  const [, scheme = '', unix] = /^(nbds?)(\+unix)?:\/\//i.exec(uri) ?? [];
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (scheme === '' || url === undefined) throw invalid('it is no nbd:// or nbd+unix:// address');
  const exportName = decoded(url.pathname.replace(/^\//, ''));
  const tls = scheme.toLowerCase() === 'nbds';
  if (url.password !== '') throw invalid('a password does not belong into an address');
  if (unix !== undefined) {
    const path = url.searchParams.get('socket');
    if (path === null || path === '') throw invalid('?socket=PATH is missing');
    return { server: { kind: 'unix', path }, exportName, tls };
  }
  if (url.hostname === '') throw invalid('the host is missing');
  const host = decoded(url.hostname).replace(/^\[|\]$/g, '');
  return { server: { kind: 'tcp', host, port: url.port === '' ? defaultPort : Number(url.port) }, exportName, tls };
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

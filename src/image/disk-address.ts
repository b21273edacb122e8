import { basename } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { describeHttpUrl, type HttpAddress, parseHttpAddress } from '../block/http/http-address.ts';
import { type NbdAddress, parseNbdUri } from '../block/nbd/nbd-address.ts';

/** What every address of a disk has. */
interface CommonAddress {
  /** The address for messages: without a password or anything else that may be secret. */
  readonly label: string;
  /** What the disk is called there: the last part of the path; the host's or socket's name where that is empty. */
  readonly name: string;
}

/** Where somebody serves a disk. */
export type DiskAddress =
  | (CommonAddress & { readonly kind: 'nbd'; readonly nbd: NbdAddress })
  | (CommonAddress & { readonly kind: 'http'; readonly http: HttpAddress });

/**
 * The address that an argument is; `undefined` for one that is none.
 *
 * @throws VarveError `INVALID`, `UNSUPPORTED` for addresses of other kinds. The address is not repeated, as it may hold a
 *   password
 */
export function diskAddress(argument: string): DiskAddress | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(argument)?.[1]?.toLowerCase();
  if (scheme === undefined) return undefined;
  if (/^nbds?(\+unix)?$/.test(scheme)) return nbdDiskAddress(argument, scheme);
  if (scheme === 'http' || scheme === 'https') return httpDiskAddress(argument);
  throw new VarveError(
    'UNSUPPORTED',
    `a disk at an ${scheme}:// address is not supported yet; give a file, an image, or an nbd:// or https:// address`,
  );
}

function nbdDiskAddress(argument: string, scheme: string): DiskAddress {
  const nbd = parseNbdUri(argument);
  const { exportName, server } = nbd;
  const place = server.kind === 'unix' ? `?socket=${server.path}` : '';
  const host = server.kind === 'unix' ? '' : argument.replace(/^[^/]*\/\/([^/?#]*@)?([^/?#]*).*$/s, '$2');
  const name = basename(exportName) || (server.kind === 'unix' ? basename(server.path) : server.host);
  return { kind: 'nbd', label: `${scheme}://${host}/${exportName}${place}`, name, nbd };
}

function httpDiskAddress(argument: string): DiskAddress {
  const http = parseHttpAddress(argument);
  const { hostname, pathname } = http.url;
  return { kind: 'http', label: describeHttpUrl(http.url), name: decodedName(pathname) || hostname, http };
}

function decodedName(pathname: string): string {
  const name = basename(pathname);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

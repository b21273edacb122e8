import fs from 'node:fs';
import { extname } from 'node:path';
import { VarveError } from '../base/varve-error.ts';

/** What an argument that names a disk means: a file or block device, or a snapshot of the store. */
export type DiskArgument =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'snapshot'; readonly reference: string };

/**
 * Takes apart an argument that names a disk. A file or block device has a `/` in its name, or an extension and exists;
 * `web` and `web@3` are in the store.
 *
 * @throws VarveError `UNSUPPORTED` for an address such as `nbd://…`
 */
export function diskArgument(argument: string): DiskArgument {
  refuseAddress(argument);
  const isFile = argument.includes('/') || (extname(argument) !== '' && fs.existsSync(argument));
  return isFile ? { kind: 'file', path: argument } : { kind: 'snapshot', reference: argument };
}

/** @throws VarveError `UNSUPPORTED` for an address such as `nbd://…`, which is not repeated: it may hold a password */
export function refuseAddress(argument: string): void {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(argument)?.[1];
  if (scheme === undefined) return;
  throw new VarveError(
    'UNSUPPORTED',
    `a disk at an ${scheme}:// address is not supported yet; give a file or an image`,
  );
}

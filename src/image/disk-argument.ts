import fs from 'node:fs';
import { extname } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { type DiskAddress, diskAddress } from './disk-address.ts';

/** What an argument names that is a file or block device of this machine, or a snapshot of the store. */
export type LocalDiskArgument =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'snapshot'; readonly reference: string };

/** What an argument that names a disk means: one of this machine, or one that somebody serves. */
export type DiskArgument = LocalDiskArgument | { readonly kind: 'address'; readonly address: DiskAddress };

/**
 * Takes apart an argument that names a disk. A file or block device has a `/` in its name, or an extension and exists;
 * `web` and `web@3` are in the store; `nbd://…` and `https://…` are addresses.
 *
 * @throws VarveError `INVALID` for an address that cannot be, `UNSUPPORTED` for one such as `s3://…`
 */
export function diskArgument(argument: string): DiskArgument {
  const address = diskAddress(argument);
  if (address !== undefined) return { kind: 'address', address };
  const isFile = argument.includes('/') || (extname(argument) !== '' && fs.existsSync(argument));
  return isFile ? { kind: 'file', path: argument } : { kind: 'snapshot', reference: argument };
}

/**
 * The same for commands that are about images and files, and not about disks that others serve.
 *
 * @throws VarveError `INVALID` for any address
 */
export function localDiskArgument(argument: string): LocalDiskArgument {
  const disk = diskArgument(argument);
  if (disk.kind !== 'address') return disk;
  const what = `${disk.address.label} is a disk that others serve`;
  throw new VarveError('INVALID', `${what}, and this command is about images and files; copy or import it first`);
}

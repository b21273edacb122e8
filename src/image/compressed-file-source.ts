import { openFileDevice } from '../block/file-device.ts';
import { log } from '../log/log.ts';
import type { Content } from '../store/ingest-device.ts';
import { SourceTable } from '../store/source-table.ts';
import type { Store } from '../store/store.ts';
import { type CompressedFileKind, compressedFileKind } from './compressed-file-kind.ts';
import { identityOf, type OpenFileDiskOptions } from './file-disk.ts';

/**
 * The format by which it is remembered what a compressed file holds: that of the image inside is not known before it is
 * unpacked, which is what remembering saves.
 */
export function packedFormat(
  kind: CompressedFileKind,
  { format = '', internalSnapshot, member = '' }: OpenFileDiskOptions,
): string {
  return JSON.stringify({ kind, format, member, internalSnapshot });
}

/** The format by which it is remembered what a file holds: of one that holds several disks or states, also which. */
export function memberFormat(format: string, { internalSnapshot, member }: OpenFileDiskOptions): string {
  if (member === undefined && internalSnapshot === undefined) return format;
  return JSON.stringify({ format, member, internalSnapshot });
}

/**
 * What a compressed file held when it was imported before; undefined where it is another by now, or not compressed.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `IO`
 */
export async function knownInside(
  store: Store,
  path: string,
  options: OpenFileDiskOptions & { readonly reread?: boolean | undefined },
): Promise<Content | undefined> {
  if (options.reread || options.filters !== undefined || options.format === 'raw') return undefined;
  const identity = await identityOf(path);
  if (identity === undefined) return undefined;
  await using file = await openFileDevice(path, { readOnly: true });
  const kind = await compressedFileKind(file);
  const known = kind && new SourceTable(store.catalog).find(identity, packedFormat(kind, options));
  if (known !== undefined) log(1, '%s has not changed since it was imported before', path);
  return known;
}

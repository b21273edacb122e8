/*
 * MOUNT, version 3: what gives the file handle of an export's root.
 *
 *   MNT      string path<1024> → uint32 status   where it is 0: opaque fhandle<64>, uint32 auth_flavors<>
 *   DUMP     nothing → for each mount bool 1, string host<255>, string path<1024>; then bool 0
 *   UMNT     string path<1024> → nothing        UMNTALL  nothing → nothing
 *   EXPORT   nothing → for each export bool 1, string path<1024>, groups; then bool 0
 *   groups   for each bool 1, string name<255>; then bool 0: none stands for everybody
 *
 * Source: RFC 1813, appendix I.
 */
import { authFlavors } from '../rpc/constants.ts';
import type { XdrReader } from '../rpc/xdr-reader.ts';
import { opaqueLength, type XdrWriter } from '../rpc/xdr-writer.ts';
import { longestPath, nfsStatus } from './constants.ts';

/** Who has mounted what, as far as he has said so. */
export interface MountEntry {
  readonly host: string;
  readonly path: string;
}

/** The path that is asked for, in bytes. @throws VarveError `CORRUPT` */
export function decodePath(args: XdrReader): Uint8Array {
  return args.opaque(longestPath);
}

/** Writes the answer to MNT, for a path that there is. */
export function putMounted(writer: XdrWriter, handle: Uint8Array): void {
  writer.u32be(nfsStatus.OK);
  writer.opaque(handle);
  for (const word of [2, authFlavors.AUTH_SYS, authFlavors.AUTH_NONE]) writer.u32be(word);
}

/** Writes the answer to DUMP, as far as there is `room` for it, in bytes. */
export function putMounts(writer: XdrWriter, mounts: Iterable<MountEntry>, room: number): void {
  putList(
    writer,
    [...mounts].map(({ host, path }) => [encoded(host), encoded(path)]),
    room,
  );
}

/** Writes the answer to EXPORT, as far as there is `room` for it, in bytes. */
export function putExports(writer: XdrWriter, paths: Iterable<string>, room: number): void {
  const open = (path: string): Uint8Array[] => [encoded(path)];
  putList(writer, Array.from(paths, open), room, () => writer.bool(false));
}

function putList(
  writer: XdrWriter,
  entries: readonly (readonly Uint8Array[])[],
  room: number,
  putRest = (): void => undefined,
): void {
  const end = writer.position + room - 8;
  for (const texts of entries) {
    const length = texts.reduce((sum, text) => sum + opaqueLength(text.length), 8);
    if (writer.position + length > end) break;
    writer.bool(true);
    for (const text of texts) writer.opaque(text);
    putRest();
  }
  writer.bool(false);
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

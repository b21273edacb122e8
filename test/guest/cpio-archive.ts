/**
 * The archives that Linux unpacks as its first root file system: for each file a header of 110 characters (the magic
 * 070701 and 13 numbers of 8 hexadecimal digits), its name with a zero behind it, and its content, both filled up with
 * zeros to a multiple of 4 bytes from the archive's start; an entry named TRAILER!!! ends it.
 *
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux ("newc").
 */

/** A file for an archive. Directories come before what is in them. */
export interface ArchiveEntry {
  /** Without a slash in front. */
  readonly path: string;
  /** With the file's type, as in `stat`: 0o100755. */
  readonly mode: number;
  /** A link's is where it leads to. */
  readonly content?: Uint8Array;
}

/** An archive of files that belong to root. */
export function encodeCpio(entries: readonly ArchiveEntry[]): Uint8Array {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.flatMap((entry, index) => encodeEntry(entry, index + 1)));
}

function encodeEntry({ content = new Uint8Array(), mode, path }: ArchiveEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const [owner, group, links, time, device] = [0, 0, 1, 0, 0];
  const numbers = [
    ...[inode, mode, owner, group, links, time, content.length],
    ...[device, device, device, device, name.length, 0],
  ];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return [Buffer.from(header), name, fill(header.length + name.length), content, fill(content.length)];
}

function fill(length: number): Uint8Array {
  return new Uint8Array(-length & 3);
}

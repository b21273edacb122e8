import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import type { FileKind, FileSystem } from '../filesystem/file-system.ts';
import { type GuestFile, type GuestTree, textOf } from '../guest/guest-tree.ts';
import { readPart } from '../guest/read-part.ts';

/** A file's text, and what it is called without symlinks. */
export interface GuestText {
  readonly path: string;
  readonly text: string;
}

/** Settings are small; what is larger is no text that a person wrote. */
const largestText = 1 << 20;
/** A directory with more names than any system has is somebody's trap. */
const mostNames = 100_000;
/** What of a guest's settings is read in all: its files, such of them as symlinks in directories lead to, and bytes. */
const mostFiles = 100_000;
const mostLinks = 1000;
const mostBytes = 256 << 20;

/**
 * A file's bytes; undefined where there is no file. `largest` is in bytes.
 *
 * @throws VarveError `UNSUPPORTED` for a larger one, `CORRUPT`
 */
export async function readBytes(
  tree: GuestTree,
  path: string,
  largest: number,
): Promise<{ readonly path: string; readonly bytes: Uint8Array } | undefined> {
  const file = await tree.find(path);
  if (file?.stat.kind !== 'file') return undefined;
  return { path: file.path, bytes: await bytesOfFile(file, largest) };
}

/** All of a file. @throws VarveError `UNSUPPORTED` for a file larger than `largest`, `CORRUPT` */
export async function bytesOfFile(file: GuestFile, largest: number): Promise<Uint8Array> {
  const { path, stat } = file;
  if (stat.size <= largest) return await readPart(file, 0, stat.size);
  const sizes = `${formatSize(stat.size)}, and at most ${formatSize(largest)} are read`;
  throw new VarveError('UNSUPPORTED', `${path} has ${sizes}`);
}

/** What was read of each guest for a fact. Nobody has settings of so many files; whoever makes them up wants somebody to wait. */
const taken = new WeakMap<GuestTree, { files: number; links: number; bytes: number }>();

/** Begins to count anew what is read of a guest, for another fact. */
export function beginFact(tree: GuestTree): void {
  taken.delete(tree);
}

/** @throws VarveError `UNSUPPORTED` where more of a guest has been read than any has */
function take(tree: GuestTree, { isLink = false, bytes = 0 }): void {
  const sum = taken.get(tree) ?? { files: 0, links: 0, bytes: 0 };
  taken.set(tree, sum);
  sum.files += 1;
  sum.links += isLink ? 1 : 0;
  sum.bytes += bytes;
  if (sum.files > mostFiles || sum.links > mostLinks || sum.bytes > mostBytes) {
    // The same words for each of them, so that they are said once.
    throw new VarveError('UNSUPPORTED', 'there are more settings than any system has; the rest of them is not read');
  }
}

/**
 * The file of a name in a directory; undefined where it is none, or leads to none. It is not looked up again, as directories
 * may be long.
 *
 * @throws VarveError `UNSUPPORTED` where more of a guest has been read than any has, `CORRUPT`
 */
export async function fileOf(tree: GuestTree, listed: ListedFile): Promise<GuestFile | undefined> {
  const { fileSystem, node, path } = listed;
  const kind = await kindOf(listed);
  take(tree, { isLink: kind === 'symlink' });
  if (kind === 'symlink') {
    const file = await tree.find(path);
    return file?.kind === 'file' ? file : undefined;
  }
  return kind === 'file' ? { path, fileSystem, node, kind, stat: await fileSystem.stat(node) } : undefined;
}

/** The text of a file that is at hand. @throws as `readBytes` and `fileOf` */
export async function textOfFile(tree: GuestTree, file: GuestFile, largest = largestText): Promise<string> {
  take(tree, { bytes: Math.min(file.stat.size, largest) });
  return new TextDecoder().decode(await bytesOfFile(file, largest));
}

/** The text of a name in a directory; undefined where that is no file. @throws as `textOfFile` */
export async function readListed(tree: GuestTree, listed: ListedFile): Promise<GuestText | undefined> {
  const file = await fileOf(tree, listed);
  return file && { path: file.path, text: await textOfFile(tree, file) };
}

/** A file's text in UTF-8, with U+FFFD for what is none; undefined where there is no file. @throws as `readBytes` */
export async function readText(tree: GuestTree, path: string, largest = largestText): Promise<GuestText | undefined> {
  const read = await readBytes(tree, path, largest);
  return read && { path: read.path, text: new TextDecoder().decode(read.bytes) };
}

/** A name in a directory of a guest. */
export interface ListedFile {
  readonly name: string;
  /** With the directory's own path before it. */
  readonly path: string;
  readonly fileSystem: FileSystem;
  readonly node: number;
  /** Where the directory says so itself. */
  readonly kind?: FileKind | undefined;
}

/**
 * What a directory holds, by name; nothing where there is none. Unlike `GuestTree.list` it asks for no file's state, and
 * does not see what is mounted in it.
 *
 * @throws VarveError `UNSUPPORTED` for more names than any system has, `CORRUPT`
 */
export async function entriesOf(tree: GuestTree, path: string): Promise<ListedFile[]> {
  const directory = await tree.find(path);
  if (directory?.stat.kind !== 'directory') return [];
  const { fileSystem } = directory;
  const prefix = directory.path === '/' ? '' : directory.path;
  const entries: ListedFile[] = [];
  for await (const { name: bytes, node, kind } of fileSystem.readDirectory(directory.node)) {
    if (entries.length === mostNames) {
      throw new VarveError('UNSUPPORTED', `${directory.path} holds more than ${mostNames} files`);
    }
    const name = nameText(bytes);
    entries.push({ name, path: `${prefix}/${name}`, fileSystem, node, kind });
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** As `textOf`; nearly all names are ASCII, and directories of packages hold thousands. */
function nameText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return /^[\0-\x7f]*$/.test(text) ? text : textOf(bytes);
}

/** What an entry is. @throws VarveError `CORRUPT` */
export async function kindOf({ fileSystem, kind, node }: ListedFile): Promise<FileKind> {
  return kind ?? (await fileSystem.stat(node)).kind;
}

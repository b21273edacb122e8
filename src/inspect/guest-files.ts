import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import type { FileKind, FileSystem } from '../filesystem/file-system.ts';
import { type GuestFile, type GuestTree, textOf } from '../guest/guest-tree.ts';

/** A file's text, and what it is called without symlinks. */
export interface GuestText {
  readonly path: string;
  readonly text: string;
}

/** Settings are small; what is larger is no text that a person wrote. */
const largestText = 1 << 20;
/** A directory with more names than any system has is somebody's trap. */
const mostNames = 500_000;

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

async function bytesOfFile(file: GuestFile, largest: number): Promise<Uint8Array> {
  const { path, stat } = file;
  if (stat.size <= largest) return await readStart(file, stat.size);
  const sizes = `${formatSize(stat.size)}, and at most ${formatSize(largest)} are read`;
  throw new VarveError('UNSUPPORTED', `${path} has ${sizes}`);
}

/** The text of a file that is at hand. @throws as `readBytes` */
export async function textOfFile(file: GuestFile): Promise<string> {
  return new TextDecoder().decode(await bytesOfFile(file, largestText));
}

/** The first `length` bytes of a file, or all where it has fewer. */
export async function readStart({ fileSystem, node, stat }: GuestFile, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(length, stat.size));
  let done = 0;
  while (done < bytes.length) {
    const count = await fileSystem.read(node, bytes.subarray(done), done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
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
  readonly kind: FileKind | undefined;
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

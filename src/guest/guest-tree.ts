import { VarveError } from '../base/varve-error.ts';
import type { DirectoryEntry, FileKind, FileStat, FileSystem } from '../filesystem/file-system.ts';

/** A file of a guest, as the directory that it is in has it. */
export interface GuestEntry {
  /** Its own path, without symlinks: `/usr/lib/os-release`. Bytes that are no UTF-8 are lone surrogates (`textOf`). */
  readonly path: string;
  readonly fileSystem: FileSystem;
  readonly node: number;
  readonly kind: FileKind;
}

/** A file of a guest that was looked at. */
export interface GuestFile extends GuestEntry {
  readonly stat: FileStat;
}

/** How a path is looked up. */
export interface ResolveOptions {
  /** Whether a symlink at the path's end is followed, too; as it is where nothing is given. */
  readonly followLast?: boolean;
}

/** As Linux has it (MAXSYMLINKS). */
const mostLinks = 40;
const longestPath = 4096;

/** A directory on the way to a file. */
interface Place {
  readonly name: string;
  readonly fileSystem: FileSystem;
  readonly node: number;
}

/** The files of a guest: one tree of all its mounted file systems. Symlinks and `..` never lead out of it. */
export class GuestTree {
  readonly #mounts: ReadonlyMap<string, FileSystem>;
  readonly #name: string;

  /** `mounts` has the file systems by their directories, among them `/`. */
  constructor(mounts: ReadonlyMap<string, FileSystem>, name: string) {
    this.#mounts = mounts;
    this.#name = name;
  }

  /** The file at a path, or undefined where there is none. @throws VarveError as `resolve` does, but for `NOT_FOUND` */
  async find(path: string, options: ResolveOptions = {}): Promise<GuestFile | undefined> {
    try {
      return await this.resolve(path, options);
    } catch (error) {
      if (error instanceof VarveError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** @throws VarveError `NOT_FOUND`, `INVALID` for symlinks that go in a circle, `CORRUPT` */
  async resolve(path: string, { followLast = true }: ResolveOptions = {}): Promise<GuestFile> {
    if (path.length > longestPath)
      throw new VarveError('INVALID', `${this.#name}: the path is over ${longestPath} bytes`);
    let places = [this.#root()];
    const pending = namesOf(path).reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '..') {
        if (places.length > 1) places.pop();
        continue;
      }
      const next = await this.#step(places, name, path);
      const stat = await next.fileSystem.stat(next.node);
      const isLast = pending.length === 0;
      if (stat.kind !== 'symlink' || (isLast && !followLast && !path.endsWith('/'))) {
        places.push(next);
        continue;
      }
      links += 1;
      if (links > mostLinks) throw new VarveError('INVALID', `${this.#name}:${path} goes through too many symlinks`);
      const target = textOf(await next.fileSystem.readLink(next.node));
      if (target.startsWith('/')) places = [this.#root()];
      pending.push(...namesOf(target).reverse());
      if (pending.length > longestPath) throw new VarveError('INVALID', `${this.#name}:${path} is too long`);
    }
    const { fileSystem, node } = places.at(-1)!;
    const stat = await fileSystem.stat(node);
    return { path: pathOf(places), fileSystem, node, kind: stat.kind, stat };
  }

  /** What a directory holds, mounted file systems in the place of what is beneath them; by their names' bytes. */
  async list(directory: GuestEntry): Promise<GuestFile[]> {
    const files: GuestFile[] = [];
    for (const { path, fileSystem, node } of await this.entries(directory)) {
      const stat = await fileSystem.stat(node);
      files.push({ path, fileSystem, node, kind: stat.kind, stat });
    }
    return files;
  }

  /** The same, without a look at the files themselves where the directory says what they are. */
  async entries(directory: GuestEntry): Promise<GuestEntry[]> {
    const found = await allEntries(directory);
    found.sort((a, b) => compareBytes(a.name, b.name));
    const entries: GuestEntry[] = [];
    const above = directory.path === '/' ? '/' : `${directory.path}/`;
    const { fileSystem } = directory;
    for (const { kind, name, node } of found) {
      const path = above + textOf(name);
      const mounted = this.#mounts.get(path);
      if (mounted !== undefined) entries.push({ path, fileSystem: mounted, node: mounted.root, kind: 'directory' });
      else entries.push({ path, fileSystem, node, kind: kind ?? (await fileSystem.stat(node)).kind });
    }
    return entries;
  }

  #root(): Place {
    const fileSystem = this.#mounts.get('/')!;
    return { name: '', fileSystem, node: fileSystem.root };
  }

  async #step(places: readonly Place[], name: string, path: string): Promise<Place> {
    const { fileSystem, node } = places.at(-1)!;
    const { kind } = await fileSystem.stat(node);
    const found = kind === 'directory' ? await fileSystem.lookup(node, bytesOf(name)) : undefined;
    if (found === undefined) {
      const why =
        kind === 'directory' ? `there is no ${name} in ${pathOf(places)}` : `${pathOf(places)} is no directory`;
      throw new VarveError('NOT_FOUND', `${this.#name}:${path}: ${why}`);
    }
    const mounted = this.#mounts.get(pathOf([...places, { name, fileSystem, node }]));
    if (mounted === undefined) return { name, fileSystem, node: found };
    return { name, fileSystem: mounted, node: mounted.root };
  }
}

/** The last name of a path; `/` of the root. */
export function nameOf(path: string): string {
  return path === '/' ? path : path.slice(path.lastIndexOf('/') + 1);
}

function pathOf(places: readonly Place[]): string {
  return places.length === 1 ? '/' : places.map(({ name }) => name).join('/');
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A name as text: bytes that are no UTF-8 become the lone surrogates U+DC80 to U+DCFF, as Python has it (PEP 383). */
export function textOf(name: Uint8Array): string {
  try {
    return utf8.decode(name);
  } catch {
    return Array.from(name, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(0xdc00 + byte),
    ).join('');
  }
}

/** The bytes of a name, or of a path of names, that `textOf` made a text of, or that somebody typed. */
export function bytesOf(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? encoder.encode(part) : Uint8Array.of(part.charCodeAt(0) - 0xdc00))),
  );
}

async function allEntries({ fileSystem, node }: GuestEntry): Promise<DirectoryEntry[]> {
  const found: DirectoryEntry[] = [];
  const batches = fileSystem.entryBatches?.(node);
  if (batches === undefined) for await (const entry of fileSystem.readDirectory(node)) found.push(entry);
  else for await (const entries of batches) for (const entry of entries) found.push(entry);
  return found;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

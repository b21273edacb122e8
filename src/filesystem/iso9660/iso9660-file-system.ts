import { LruMap } from '../../base/lru.ts';
import type {
  DeviceRange,
  DirectoryEntry,
  FileExtent,
  FileKind,
  FileStat,
  FileSystem,
  FileSystemIdentity,
  FileSystemUsage,
} from '../file-system.ts';
import { type DirectoryRecord, isDots, recordFlags } from './directory-record.ts';
import { contentOf, type FileContent, readContent, sectionsOf } from './file-content.ts';
import { isName, nameOf } from './names.ts';
import { decodeRockRidge, type RockRidge } from './rock-ridge.ts';
import { readFields } from './system-use.ts';
import type { Iso9660Volume, NameKind } from './volume.ts';

const cachedFiles = 2048;
/** Files with several names are remembered up to this many. */
const mostSerials = 1_000_000;
/** Longer symlinks are nobody's (PATH_MAX). */
const longestLink = 4096;
/** What Linux shows where nobody says who may do what. */
const defaultMode = 0o555;

/** What an ISO 9660 file system is made of. */
export interface Iso9660Parts {
  readonly volume: Iso9660Volume;
  readonly identity: FileSystemIdentity;
  readonly names: NameKind;
  /** Where the root's own record is: the first in its directory. */
  readonly root: number;
  /** How many bytes of the system use area are not fields, but in the root's own record. */
  readonly skipped: number;
}

/** What a directory record says, with its Rock Ridge. */
interface DescribedFile {
  readonly record: DirectoryRecord;
  readonly rockRidge: RockRidge | undefined;
}

/** An ISO 9660 file system that is open. Nodes are the places of directory records on the device. */
export class Iso9660FileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean = true;
  readonly root: number;
  readonly #volume: Iso9660Volume;
  readonly #names: NameKind;
  readonly #skipped: number;
  readonly #files = new LruMap<number, DescribedFile>(cachedFiles);
  readonly #contents = new LruMap<number, FileContent>(cachedFiles);
  /** The first record that was seen of each file with several names, by number and place. */
  readonly #nodes = new Map<string, number>();

  constructor(parts: Iso9660Parts) {
    ({ volume: this.#volume, names: this.#names, skipped: this.#skipped } = parts);
    ({ identity: this.identity, root: this.root } = parts);
  }

  async stat(node: number): Promise<FileStat> {
    const { record, rockRidge } = await this.#file(node);
    const kind = kindOf(record, rockRidge);
    const content = kind === 'file' ? await this.#content(node) : undefined;
    const isDirectory = kind === 'directory';
    const target = kind === 'symlink' ? rockRidge?.target?.length : undefined;
    const { blockSize } = this.#volume;
    return {
      ...{ inode: rockRidge?.serial || node, kind, mode: defaultMode, links: 1, uid: 0, gid: 0 },
      size: content?.size ?? target ?? (isDirectory ? record.dataLength : 0),
      allocated: content?.allocated ?? (isDirectory ? Math.ceil(record.dataLength / blockSize) * blockSize : 0),
      ...{ accessed: record.time, modified: record.time, changed: record.time },
      ...rockRidge?.stat,
    };
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    for await (const entry of this.readDirectory(directory)) {
      if (isName(this.#names, entry.name, name)) return entry.node;
    }
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    let last: Uint8Array | undefined;
    for await (const record of this.#records(directory)) {
      const { rockRidge } = await this.#describe(record);
      if (rockRidge?.wasMovedHere) continue;
      const name = nameOf(this.#volume, this.#names, record, rockRidge?.name);
      // Of a file in several versions the newest comes first.
      if (last !== undefined && isName('rock ridge', name, last)) continue;
      last = name;
      const kind = rockRidge?.movedTo === undefined ? kindOf(record, rockRidge) : 'directory';
      yield { name, node: this.#nodeOf(record, rockRidge), kind };
    }
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await readContent(this.#volume, await this.#content(node), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const { rockRidge, record } = await this.#file(node);
    const kind = kindOf(record, rockRidge);
    if (kind !== 'symlink') throw this.#wrongKind(node, kind, 'symlink');
    if (rockRidge?.target !== undefined) return rockRidge.target.slice();
    throw this.#volume.corrupt(`the symlink at byte ${node} says nothing of where it leads`);
  }

  extendedAttributes(): Promise<ReadonlyMap<string, Uint8Array>> {
    return Promise.resolve(new Map());
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    const { sections, packing, size } = await this.#content(node);
    if (packing !== undefined && size > 0) yield { offset: 0, length: size, kind: 'data' };
    let offset = 0;
    for (const { place, length } of packing === undefined ? sections : []) {
      if (length > 0) yield { offset, length, kind: 'data', place };
      offset += length;
    }
  }

  usage(): Promise<FileSystemUsage> {
    return Promise.resolve({ size: this.identity.size, free: 0 });
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {}

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** The records in a directory but for its own two, each file's first one. */
  async *#records(directory: number): AsyncGenerator<DirectoryRecord> {
    const { record: own, rockRidge } = await this.#file(directory);
    const kind = kindOf(own, rockRidge);
    if (kind !== 'directory') throw this.#wrongKind(directory, kind, 'directory');
    const start = own.block * this.#volume.blockSize;
    let goesOn = false;
    for (let place = start; place < start + own.dataLength; ) {
      const record = await this.#volume.record(place);
      place = record === undefined ? this.#volume.nextBlock(place) : place + record.length;
      if (record === undefined || isDots(record) || (record.flags & recordFlags.associated) !== 0) continue;
      if (!goesOn) yield record;
      goesOn = (record.flags & recordFlags.multiExtent) !== 0;
    }
  }

  #nodeOf(record: DirectoryRecord, rockRidge: RockRidge | undefined): number {
    if (rockRidge?.movedTo !== undefined) return rockRidge.movedTo * this.#volume.blockSize;
    const { serial = 0, stat } = rockRidge ?? {};
    // Where files have no numbers, those with several names are the ones that have one place.
    const hasOneName = (stat?.links ?? 1) < 2 || kindOf(record, rockRidge) === 'directory';
    if (hasOneName || (serial === 0 && record.dataLength === 0)) return record.place;
    const key = `${serial} ${record.block} ${record.dataLength} ${stat?.mode}`;
    const known = this.#nodes.get(key);
    if (known === undefined && this.#nodes.size < mostSerials) this.#nodes.set(key, record.place);
    return known ?? record.place;
  }

  async #file(node: number): Promise<DescribedFile> {
    const known = this.#files.get(node);
    if (known !== undefined) return known;
    const record = await this.#volume.record(node);
    if (record === undefined) throw this.#volume.corrupt(`there is no directory record at byte ${node}`);
    return await this.#describe(record);
  }

  async #describe(record: DirectoryRecord): Promise<DescribedFile> {
    const known = this.#files.get(record.place);
    if (known !== undefined) return known;
    const rockRidge = this.#names === 'rock ridge' ? await this.#rockRidge(record) : undefined;
    const described = { record, rockRidge };
    this.#files.set(record.place, described);
    return described;
  }

  async #rockRidge({ systemUse, place }: DirectoryRecord): Promise<RockRidge> {
    const what = `the directory record at byte ${place}`;
    const area = place === this.root ? systemUse : systemUse.subarray(this.#skipped);
    const rockRidge = decodeRockRidge(await readFields(this.#volume, area, what));
    const { target } = rockRidge;
    if (target !== undefined && target.length > longestLink) {
      throw this.#volume.corrupt(`${what} is a symlink of ${target.length} bytes`);
    }
    return rockRidge;
  }

  async #content(node: number): Promise<FileContent> {
    const known = this.#contents.get(node);
    if (known !== undefined) return known;
    const { record, rockRidge } = await this.#file(node);
    const kind = kindOf(record, rockRidge);
    if (kind !== 'file') throw this.#wrongKind(node, kind, 'file');
    const content = contentOf(this.#volume, await sectionsOf(this.#volume, record), rockRidge);
    this.#contents.set(node, content);
    return content;
  }

  #wrongKind(node: number, kind: FileKind, wanted: FileKind): Error {
    return this.#volume.invalid(`the directory record at byte ${node} is of a ${kind}, and no ${wanted}`);
  }
}

function kindOf({ flags }: DirectoryRecord, rockRidge: RockRidge | undefined): FileKind {
  return rockRidge?.stat.kind ?? ((flags & recordFlags.directory) === 0 ? 'file' : 'directory');
}

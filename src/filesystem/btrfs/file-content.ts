import { LruMap } from '../../base/lru.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { FileExtent as FileRun } from '../file-system.ts';
import { isKnownCompression, unpackPiece } from './compression.ts';
import { DataReader } from './data-reader.ts';
import { decodeFileExtent, type FileExtent } from './file-extent.ts';
import type { Forest } from './forest.ts';
import type { Inode } from './inode.ts';
import { itemTypes, largestOffset } from './key.ts';
import { bytesOf } from './little-endian.ts';
import type { Item, ItemTree } from './tree.ts';

/** How many bytes of unpacked pieces are kept. */
const cachedLength = 8 << 20;

/** A file of a subvolume. */
export interface BtrfsFile {
  readonly tree: ItemTree;
  readonly inode: Inode;
}

/** A run of a file's bytes, up to its size at most; without an extent a hole. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly extent: FileExtent | undefined;
}

/** What files hold. */
export class FileContents {
  readonly #forest: Forest;
  readonly #data: DataReader;
  readonly #unpacked = new LruMap<string, Promise<Uint8Array>>(cachedLength);

  constructor(forest: Forest) {
    this.#forest = forest;
    this.#data = new DataReader(forest);
  }

  /** Reads from `offset` until `target` is full or the file ends; returns how many bytes. @throws VarveError */
  async read(file: BtrfsFile, target: Uint8Array, offset: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, file.inode.stat.size - offset));
    for (let done = 0; done < length; ) {
      const run = await this.#run(file, offset + done);
      const part = target.subarray(done, Math.min(length, run.end - offset));
      if (run.extent === undefined) part.fill(0);
      else await this.#readExtent(file, run.extent, { target: part, offset: offset + done });
      done += part.length;
    }
    return length;
  }

  /** The runs of a file's content, up to its size. @throws VarveError */
  async *extents(file: BtrfsFile): AsyncGenerator<FileRun> {
    const { size } = file.inode.stat;
    for (let offset = 0; offset < size; ) {
      const { end, extent } = await this.#run(file, offset);
      if (extent === undefined) yield { offset, length: end - offset, kind: 'hole' };
      else yield* this.#runsOf(file, extent, { offset, end });
      offset = end;
    }
  }

  async #run({ tree, inode }: BtrfsFile, offset: number): Promise<Run> {
    const { number: objectid, stat } = inode;
    const key = { objectid, type: itemTypes.extentData, offset };
    const found = await tree.lastUpTo(key);
    if (found?.key.objectid === objectid && found.key.type === itemTypes.extentData) {
      const extent = this.#decode(tree, found);
      const end = Math.min(extent.end, stat.size);
      if (end > offset) return { start: offset, end, extent: extent.content.kind === 'hole' ? undefined : extent };
    }
    for await (const next of tree.items({ ...key, offset: offset + 1 }, { ...key, offset: largestOffset })) {
      // Below 0 are numbers over 2^63.
      const end = next.key.offset < 0 ? stat.size : Math.min(next.key.offset, stat.size);
      return { start: offset, end, extent: undefined };
    }
    return { start: offset, end: stat.size, extent: undefined };
  }

  #decode(tree: ItemTree, { key, view }: Item): FileExtent {
    const { volume } = this.#forest;
    const extent = decodeFileExtent(view, key.offset, volume.superblock.sectorSize);
    const what = `the extent at byte ${key.offset} of inode ${key.objectid} of ${tree.name}`;
    if (typeof extent === 'string') throw volume.corrupt(`${what} ${extent}`);
    if (isKnownCompression(extent.compression)) return extent;
    throw volume.unsupported(`${what} is packed by an unknown method, ${extent.compression}`);
  }

  async #readExtent(
    file: BtrfsFile,
    extent: FileExtent,
    { target, offset }: { readonly target: Uint8Array; readonly offset: number },
  ): Promise<void> {
    const { content, start, compression } = extent;
    if (content.kind === 'preallocated' || content.kind === 'hole') {
      target.fill(0);
      return;
    }
    const inside = offset - start;
    if (content.kind === 'inline') {
      const bytes = compression === 0 ? bytesOf(content.bytes) : this.#unpack(extent, bytesOf(content.bytes), file);
      target.set(bytes.subarray(inside, inside + target.length));
      return;
    }
    const isChecked = !file.inode.isUnchecked;
    const what = nameOf(file);
    if (compression === 0) {
      await this.#data.read(target, { address: content.address + content.offset + inside, isChecked, what });
      return;
    }
    const whole = await this.#packed(file, extent, content);
    target.set(whole.subarray(content.offset + inside, content.offset + inside + target.length));
  }

  async #packed(
    file: BtrfsFile,
    extent: FileExtent,
    { address, stored }: { readonly address: number; readonly stored: number },
  ): Promise<Uint8Array> {
    const key = `${address} ${stored} ${extent.unpacked} ${extent.compression}`;
    const known = this.#unpacked.get(key);
    if (known !== undefined) return await known;
    const load = async () => {
      const bytes = new Uint8Array(stored);
      await this.#data.read(bytes, { address, isChecked: !file.inode.isUnchecked, what: nameOf(file) });
      return this.#unpack(extent, bytes, file);
    };
    const loading = load();
    this.#unpacked.set(key, loading, extent.unpacked);
    try {
      return await loading;
    } catch (error) {
      this.#unpacked.delete(key);
      throw error;
    }
  }

  #unpack({ compression, unpacked: length, start }: FileExtent, bytes: Uint8Array, file: BtrfsFile): Uint8Array {
    const { volume } = this.#forest;
    try {
      return unpackPiece({ compression, bytes, length, sectorSize: volume.superblock.sectorSize });
    } catch (cause) {
      if (isVarveError(cause) && cause.code !== 'CORRUPT') throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw volume.corrupt(`the packed extent at byte ${start} of ${nameOf(file)} is damaged: ${why}`);
    }
  }

  *#runsOf(
    file: BtrfsFile,
    { start, compression, content }: FileExtent,
    { offset, end }: { readonly offset: number; readonly end: number },
  ): Generator<FileRun> {
    const isPlain = content.kind === 'data' || content.kind === 'preallocated';
    const kind = content.kind === 'preallocated' ? 'zero' : 'data';
    if (!isPlain || compression !== 0) return yield { offset, length: end - offset, kind };
    for (let from = offset; from < end; ) {
      const address = content.address + content.offset + from - start;
      const { copies, length: most } = this.#forest.volume.chunks.locate(address, nameOf(file));
      const length = Math.min(end - from, most);
      const place = copies.find((each) => each < this.#forest.volume.superblock.deviceSize);
      yield { offset: from, length, kind, ...(place === undefined ? {} : { place }) };
      from += length;
    }
  }
}

function nameOf({ tree, inode }: BtrfsFile): string {
  return `inode ${inode.number} of ${tree.name}`;
}

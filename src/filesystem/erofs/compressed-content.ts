import { LruMap } from '../../base/lru.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { unpackLz4 } from '../../bytes/lz4.ts';
import { type CompressedExtent, compressedExtents } from './compressed-extents.ts';
import { type CompressedHeader, readCompressedHeader } from './compressed-header.ts';
import type { ErofsFile } from './file-content.ts';
import type { ErofsVolume } from './volume.ts';

const algorithms = ['LZ4', 'LZMA', 'DEFLATE', 'zstd'];
const lz4 = 0;
/** Of what one extent becomes, in bytes; Linux takes 12 MiB. */
const longestExtent = 64 * 2 ** 20;
/** In bytes; an extent that is longer is not kept. */
const cachedLength = 16 * 2 ** 20;
/** Over all files. */
const cachedExtents = 200_000;

/** Reads from the packed inode: ends of files, and small ones whole, in one file that no directory has. */
export type ReadPacked = (target: Uint8Array, offset: number) => Promise<void>;

/** The index of a compressed file. */
interface CompressedFile {
  readonly header: CompressedHeader;
  readonly extents: readonly CompressedExtent[];
}

/** Reads compressed files, and keeps their indexes and what was unpacked last. */
export class CompressedContent {
  readonly #volume: ErofsVolume;
  readonly #files = new LruMap<number, CompressedFile>(cachedExtents);
  readonly #unpacked = new LruMap<string, Uint8Array>(cachedLength);

  constructor(volume: ErofsVolume) {
    this.#volume = volume;
  }

  /** Fills `target` from `offset` of a file on, of which it is a part. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
  async read(file: ErofsFile, target: Uint8Array, offset: number, readPacked: ReadPacked): Promise<void> {
    const { extents, header } = await this.#index(file);
    for (let done = 0; done < target.length; ) {
      const extent = extentAt(extents, offset + done);
      const inside = offset + done - extent.start;
      const part = target.subarray(done, done + Math.min(extent.length - inside, target.length - done));
      if (extent.kind === 'fragment') await readPacked(part, extent.place + inside);
      else part.set((await this.#content(file, extent, header)).subarray(inside, inside + part.length));
      done += part.length;
    }
  }

  async #index(file: ErofsFile): Promise<CompressedFile> {
    const known = this.#files.get(file.node);
    if (known !== undefined) return known;
    const header = await readCompressedHeader(this.#volume, file);
    const extents = await compressedExtents(this.#volume, file, header);
    this.#files.set(file.node, { header, extents }, extents.length);
    return { header, extents };
  }

  async #content(file: ErofsFile, extent: CompressedExtent, header: CompressedHeader): Promise<Uint8Array> {
    const key = `${file.node} ${extent.start}`;
    const known = this.#unpacked.get(key);
    if (known !== undefined) return known;
    const { kind, length, packedLength, place } = extent;
    const what = `the extent at byte ${extent.start} of inode ${file.node}`;
    const packed = new Uint8Array(packedLength);
    await this.#volume.read(packed, place, what);
    const isPlain = kind === 'plain' || kind === 'turned';
    const content = isPlain ? this.#plain(packed, extent, what) : this.#unpack(packed, extent, header, what);
    this.#unpacked.set(key, content, length);
    return content;
  }

  #plain(packed: Uint8Array, { kind, length, start }: CompressedExtent, what: string): Uint8Array {
    if (length > packed.length) throw this.#volume.corrupt(`${what} has ${length} bytes in ${packed.length}`);
    if (kind === 'plain') return packed.subarray(0, length);
    // It begins where in its block it stands in the file, and goes on at the block's start.
    const first = start % packed.length;
    const turned = new Uint8Array(packed.length);
    turned.set(packed.subarray(first));
    turned.set(packed.subarray(0, first), packed.length - first);
    return turned.subarray(0, length);
  }

  #unpack(packed: Uint8Array, extent: CompressedExtent, header: CompressedHeader, what: string): Uint8Array {
    const { kind, length } = extent;
    const algorithm = header.algorithms[kind === 'first' ? 0 : 1];
    if (algorithm !== lz4) {
      const name = algorithms[algorithm] ?? 'an unknown method';
      throw this.#volume.unsupported(`${what} is compressed by ${name}, which is not read here`);
    }
    if (length > longestExtent) throw this.#volume.corrupt(`${what} has ${length} bytes`);
    const content = new Uint8Array(length);
    // What is short of whole blocks is filled with zeros in front.
    const start = this.#volume.superblock.isPaddedInFront ? packed.findIndex((byte) => byte !== 0) : 0;
    const unpackedLength = start < 0 ? 0 : this.#unpackLz4(packed.subarray(start), content, what);
    if (unpackedLength === length) return content;
    throw this.#volume.corrupt(`${what} is ${unpackedLength} bytes long, and not ${length}`);
  }

  #unpackLz4(packed: Uint8Array, content: Uint8Array, what: string): number {
    try {
      return unpackLz4(packed, content);
    } catch (error) {
      throw isVarveError(error, 'CORRUPT') ? this.#volume.corrupt(`${what}: ${error.message}`) : error;
    }
  }
}

/** The extent that a byte is in, by halving. */
function extentAt(extents: readonly CompressedExtent[], offset: number): CompressedExtent {
  let [low, high] = [0, extents.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (extents[middle]!.start <= offset) low = middle;
    else high = middle - 1;
  }
  return extents[low]!;
}

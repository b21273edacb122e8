/*
 * A file that the Windows Overlay Filter compressed has its content in a stream, "WofCompressedData", and a reparse point
 * with tag 80000017, little-endian:
 *
 *   byte  8–11 1    12–15 provider: 1 a WIM file, 2 the stream    16–19 1    20–23 0 XPRESS in chunks of 4 KiB, 1 LZX
 *                                                                                  of 32, 2 XPRESS of 8, 3 of 16
 *
 * The stream begins with the places of all chunks but the first one, counted from the end of that table, 32 bits each, or 64
 * where the file has 4 GiB and more. A chunk as long as what it stands for is stored as it is.
 *
 * Source: Microsoft, MS-FSCC, section 2.1.2 and FILE_PROVIDER_EXTERNAL_INFO; wimlib, on WIM's chunk tables, which are the same.
 */
import { LruMap } from '../../../base/lru.ts';
import type { FileExtent } from '../../file-system.ts';
import type { AttributeStream } from '../attribute-stream.ts';
import type { NtfsVolume } from '../ntfs-volume.ts';
import { unpackLzx } from './unpack-lzx.ts';
import { unpackXpress } from './unpack-xpress.ts';

/** What the stream is named. */
export const overlayStreamName = 'WofCompressedData';
const streamProvider = 2;
const entriesPerPage = 1024;
const cachedPages = 16;
/** How many bytes of chunks are kept, unpacked. */
const cachedLength = 1 << 20;

/** How chunks are compressed. */
interface OverlayKind {
  readonly chunkLength: number;
  readonly unpack: (packed: Uint8Array, target: Uint8Array) => string | undefined;
}

const kinds: Readonly<Record<number, OverlayKind>> = {
  0: { chunkLength: 4096, unpack: unpackXpress },
  1: { chunkLength: 32_768, unpack: unpackLzx },
  2: { chunkLength: 8192, unpack: unpackXpress },
  3: { chunkLength: 16_384, unpack: unpackXpress },
};

/** How the file is compressed whose reparse point this is, or in words that follow "is" why that is not known. */
export function overlayKindOf(reparsePoint: Uint8Array): OverlayKind | string {
  if (reparsePoint.length < 24) return 'compressed in an unknown way';
  const view = new DataView(reparsePoint.buffer, reparsePoint.byteOffset);
  if (view.getUint32(12, true) !== streamProvider) return 'kept in a WIM file';
  return kinds[view.getUint32(20, true)] ?? 'compressed in an unknown way';
}

/** The content of a file that the Windows Overlay Filter compressed. */
export class OverlayStream {
  readonly size: number;
  readonly #volume: NtfsVolume;
  readonly #stored: AttributeStream;
  readonly #kind: OverlayKind;
  readonly #entryLength: 4 | 8;
  readonly #pages = new LruMap<number, DataView>(cachedPages);
  readonly #chunks = new LruMap<number, Uint8Array>(cachedLength);

  /** `size` is the file's, in bytes. */
  constructor(volume: NtfsVolume, stored: AttributeStream, kind: OverlayKind, size: number) {
    this.#volume = volume;
    this.#stored = stored;
    this.#kind = kind;
    this.size = size;
    this.#entryLength = size < 2 ** 32 ? 4 : 8;
  }

  /** Reads from `offset` until `target` is full or it ends; returns how many bytes. @throws VarveError `CORRUPT` */
  async read(target: Uint8Array, offset: number): Promise<number> {
    const { chunkLength } = this.#kind;
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / chunkLength);
      const chunk = this.#chunks.get(index) ?? (await this.#loadChunk(index));
      const part = chunk.subarray((offset + done) % chunkLength).subarray(0, length - done);
      target.set(part, done);
      done += part.length;
    }
    return length;
  }

  /** One run: the device has none of its bytes as they are. */
  async *extents(): AsyncGenerator<FileExtent> {
    if (this.size > 0) yield { offset: 0, length: this.size, kind: 'data' };
  }

  async #loadChunk(index: number): Promise<Uint8Array> {
    const { chunkLength, unpack } = this.#kind;
    const count = Math.ceil(this.size / chunkLength);
    const tableLength = (count - 1) * this.#entryLength;
    const start = tableLength + (await this.#place(index));
    const end = index + 1 < count ? tableLength + (await this.#place(index + 1)) : this.#stored.size;
    const chunk = new Uint8Array(Math.min(chunkLength, this.size - index * chunkLength));
    const length = end - start;
    if (!(length > 0 && length <= chunk.length && end <= this.#stored.size)) {
      throw this.#volume.corrupt(`chunk ${index} of ${this.#stored.title} has ${length} bytes`);
    }
    const stored = length === chunk.length ? chunk : new Uint8Array(length);
    await this.#stored.read(stored, start);
    const problem = stored === chunk ? undefined : unpack(stored, chunk);
    if (problem !== undefined) throw this.#volume.corrupt(`chunk ${index} of ${this.#stored.title}: ${problem}`);
    this.#chunks.set(index, chunk, chunk.length);
    return chunk;
  }

  /** Where a chunk is, from the end of the table. */
  async #place(index: number): Promise<number> {
    if (index === 0) return 0;
    const entry = index - 1;
    const page = await this.#page(Math.floor(entry / entriesPerPage));
    const place = (entry % entriesPerPage) * this.#entryLength;
    const low = page.getUint32(place, true);
    return this.#entryLength === 4 ? low : low + page.getUint32(place + 4, true) * 2 ** 32;
  }

  async #page(index: number): Promise<DataView> {
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    // Past the stream's end there are zeros, which make chunks that cannot be.
    const bytes = new Uint8Array(entriesPerPage * this.#entryLength);
    await this.#stored.read(bytes, index * bytes.length);
    const page = new DataView(bytes.buffer);
    this.#pages.set(index, page);
    return page;
  }
}

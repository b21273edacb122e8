import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { zlib } from '../../bytes/zlib.ts';
import { corruptImage } from '../image-errors.ts';
import { decodeMarker, grainMarkerLength } from './marker.ts';
import type { SparseLayout } from './sparse-layout.ts';

/** The sparse extent that grains are read from. */
export interface CompressedGrainsOptions {
  readonly file: BlockDevice;
  readonly layout: SparseLayout;
  /** The extent's name in errors. */
  readonly name: string;
}

const maximumCacheLength = 2 * 2 ** 20;

/** How long a compressed grain may be, in bytes: what does not compress gets a little longer. */
export function maximumCompressedLength(grainSize: number): number {
  return grainSize + Math.ceil(grainSize / 16) + 1024;
}

/** Reads compressed grains, and keeps the last few that were read in parts. */
export class CompressedGrains {
  readonly #options: CompressedGrainsOptions;
  /** Content by host offset. */
  readonly #kept: LruMap<number, Uint8Array>;

  constructor(options: CompressedGrainsOptions) {
    this.#options = options;
    this.#kept = new LruMap(Math.max(2, Math.floor(maximumCacheLength / options.layout.grainSize)));
  }

  /**
   * Fills `target` from byte `skipped` of the grain at `hostOffset`.
   *
   * @throws VarveError `CORRUPT`
   */
  read(target: Uint8Array, skipped: number, hostOffset: number): MaybePromise<void> {
    const kept = this.#kept.get(hostOffset);
    if (kept !== undefined) return this.#copy(target, kept, skipped, hostOffset);
    const { file, layout } = this.#options;
    if (!layout.hasMarkers) return this.#readFrom(target, skipped, hostOffset, 0);
    if (hostOffset + grainMarkerLength > file.size) throw this.#notInFile(hostOffset);
    const marker = new Uint8Array(grainMarkerLength);
    const reading = file.read(marker, hostOffset);
    if (reading === undefined) return this.#readMarked(target, skipped, hostOffset, marker);
    return reading.then(() => this.#readMarked(target, skipped, hostOffset, marker));
  }

  #readMarked(target: Uint8Array, skipped: number, hostOffset: number, marker: Uint8Array): MaybePromise<void> {
    const { file, layout, name } = this.#options;
    const { size } = decodeMarker(marker, `grain marker at byte ${hostOffset} of ${name}`);
    if (size === 0 || size > maximumCompressedLength(layout.grainSize)) {
      throw corruptImage(name, `the grain at byte ${hostOffset} says that it has ${size} compressed bytes`);
    }
    if (hostOffset + grainMarkerLength + size > file.size) throw this.#notInFile(hostOffset);
    return this.#readFrom(target, skipped, hostOffset, grainMarkerLength, size);
  }

  /** Without a length, as long as a compressed grain may be: deflate tells where it ends. */
  #readFrom(
    target: Uint8Array,
    skipped: number,
    hostOffset: number,
    headLength: number,
    length = Math.min(
      maximumCompressedLength(this.#options.layout.grainSize),
      this.#options.file.size - hostOffset - headLength,
    ),
  ): MaybePromise<void> {
    if (length <= 0) throw this.#notInFile(hostOffset);
    const bytes = new Uint8Array(length);
    const reading = this.#options.file.read(bytes, hostOffset + headLength);
    if (reading === undefined) return this.#unpack(target, skipped, hostOffset, bytes);
    return reading.then(() => this.#unpack(target, skipped, hostOffset, bytes));
  }

  #unpack(target: Uint8Array, skipped: number, hostOffset: number, bytes: Uint8Array): void {
    const { grainSize } = this.#options.layout;
    let grain: Uint8Array;
    try {
      // With room for all output in one buffer and some to spare, zlib is called once.
      grain = zlib().inflateSync(bytes, { chunkSize: grainSize + 64, maxOutputLength: grainSize });
    } catch (cause) {
      const isTooLong = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      const reason = isTooLong ? `it gives more than ${grainSize} bytes` : (cause as Error).message;
      throw corruptImage(this.#options.name, `the grain at byte ${hostOffset} does not unpack: ${reason}`);
    }
    if (target.length < grainSize) this.#kept.set(hostOffset, grain);
    this.#copy(target, grain, skipped, hostOffset);
  }

  /** The last grain of a disk may be a short one, if all of the disk is there. */
  #copy(target: Uint8Array, grain: Uint8Array, skipped: number, hostOffset: number): void {
    const part = grain.subarray(skipped, skipped + target.length);
    if (part.length < target.length) {
      const lengths = `${grain.length} bytes, and ${skipped + target.length} are needed`;
      throw corruptImage(this.#options.name, `the grain at byte ${hostOffset} unpacks to ${lengths}`);
    }
    target.set(part);
  }

  #notInFile(hostOffset: number): Error {
    const { file, name } = this.#options;
    return corruptImage(name, `the grain at byte ${hostOffset} is not inside the file, which has ${file.size} bytes`);
  }
}

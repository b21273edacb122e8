import { VarveError } from '../base/varve-error.ts';
import type { DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import type { BlockMapSources, BlockRun } from './block-map.ts';
import { blockExtents, mappedBlocks } from './block-map-extents.ts';
import type { FormatDevice, FormatInformation, MappedExtent } from './image-format.ts';
import { RunReader, readBeneath } from './run-reader.ts';

/** An opened image. */
export interface BlockMapDeviceOptions extends BlockMapSources {
  readonly information: FormatInformation;
  /** The granularity the disk likes, in bytes, a power of two. */
  readonly blockSize: number;
  /** The image's name in errors. */
  readonly name: string;
}

/** The disk inside an image that maps blocks, to be read. Reads are synchronous as far as those of the file are. */
export class BlockMapDevice implements FormatDevice {
  readonly format: string;
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #sources: BlockMapSources;
  readonly #information: FormatInformation;
  readonly #name: string;
  readonly #reader: RunReader<BlockRun>;

  constructor(options: BlockMapDeviceOptions) {
    const { information, blockSize, name } = options;
    this.format = information.format;
    this.size = information.virtualSize;
    this.blockSize = blockSize;
    this.#sources = options;
    this.#information = information;
    this.#name = name;
    this.#reader = new RunReader({
      lookup: (offset, length) => options.map.lookup(offset, length),
      fill: (part, offset, run) => this.#fill(part, offset, run),
    });
  }

  information(): FormatInformation {
    return this.#information;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#reader.read(target, offset);
  }

  write(): never {
    throw this.#readOnly();
  }

  zero(): never {
    throw this.#readOnly();
  }

  trim(): never {
    throw this.#readOnly();
  }

  flush(): void {}

  extents(offset: number, length: number): AsyncGenerator<Extent> {
    return blockExtents(this.#sources, offset, length);
  }

  map(offset: number, length: number): AsyncGenerator<MappedExtent> {
    return mappedBlocks(this.#sources, offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _file = this.#sources.file;
    await using _backing = this.#sources.backing;
  }

  #fill(part: Uint8Array, offset: number, run: BlockRun): MaybePromise<void> {
    const { backing, file } = this.#sources;
    if (run.kind === 'data') return file.read(part, run.hostOffset);
    return readBeneath(run.kind === 'backing' ? backing : undefined, part, offset);
  }

  #readOnly(): VarveError {
    const what = `${this.format} images are read here, not written in place`;
    return new VarveError('READ_ONLY', `cannot write ${this.#name}: ${what}; convert it to a qcow2 image`);
  }
}

import { VarveError } from '../base/varve-error.ts';
import type { DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import type { BlockMapSources, BlockRun } from './block-map.ts';
import { blockExtents, mappedBlocks } from './block-map-extents.ts';
import type { FormatDevice, FormatInformation, MappedExtent } from './image-format.ts';

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

  constructor(options: BlockMapDeviceOptions) {
    const { information, blockSize, name } = options;
    this.format = information.format;
    this.size = information.virtualSize;
    this.blockSize = blockSize;
    this.#sources = options;
    this.#information = information;
    this.#name = name;
  }

  information(): FormatInformation {
    return this.#information;
  }

  /** Hot: goes on without a promise as long as it can. */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    for (let done = 0; done < target.length; ) {
      const step = this.#readRun(done === 0 ? target : target.subarray(done), offset + done);
      if (typeof step !== 'number') return this.#readRest(target, offset, done, step);
      done += step;
    }
    return undefined;
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

  async #readRest(target: Uint8Array, offset: number, start: number, first: Promise<number>): Promise<void> {
    let done = start + (await first);
    while (done < target.length) {
      const step = this.#readRun(target.subarray(done), offset + done);
      done += typeof step === 'number' ? step : await step;
    }
  }

  /** Reads the run that starts at `offset`, as far as `target` goes, and gives its length. */
  #readRun(target: Uint8Array, offset: number): MaybePromise<number> {
    const run = this.#sources.map.lookup(offset, target.length);
    return run instanceof Promise
      ? run.then((found) => this.#readFound(target, offset, found))
      : this.#readFound(target, offset, run);
  }

  #readFound(target: Uint8Array, offset: number, run: BlockRun): MaybePromise<number> {
    const part = run.length === target.length ? target : target.subarray(0, run.length);
    const pending = this.#fill(part, offset, run);
    return pending === undefined ? run.length : pending.then(() => run.length);
  }

  #fill(part: Uint8Array, offset: number, run: BlockRun): MaybePromise<void> {
    const { backing, file } = this.#sources;
    if (run.kind === 'data') return file.read(part, run.hostOffset);
    const available = run.kind === 'backing' ? Math.min(part.length, (backing?.size ?? 0) - offset) : 0;
    if (backing === undefined || available <= 0) {
      part.fill(0);
      return undefined;
    }
    part.fill(0, available);
    return backing.read(available === part.length ? part : part.subarray(0, available), offset);
  }

  #readOnly(): VarveError {
    const what = `${this.format} images are read here, not written in place`;
    return new VarveError('READ_ONLY', `cannot write ${this.#name}: ${what}; convert it to a qcow2 image`);
  }
}

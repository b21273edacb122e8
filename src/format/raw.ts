import { VarveError } from '../base/varve-error.ts';
import {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  type FileRange,
  isResizable,
  type MaybePromise,
  type ResizableDevice,
} from '../block/block-device.ts';
import type {
  CreateImageOptions,
  FormatDevice,
  FormatInformation,
  ImageMeasure,
  MappedExtent,
  OpenImageOptions,
  WritableFormat,
} from './image-format.ts';
import { writeRaw } from './write-raw.ts';

/** No format at all: the file's bytes are the disk's. */
export const rawFormat: WritableFormat = {
  name: 'raw',
  extensions: ['raw', 'img'],
  probe: () => 1,
  open: async (file, options) => new RawDevice(file, options),
  write: writeRaw,
  create: createRaw,
  measure: async ({ size }): Promise<ImageMeasure> => ({ required: size, fullyAllocated: size }),
};

async function createRaw(file: ResizableDevice, { backing, clusterSize, options, size }: CreateImageOptions) {
  const [option] = Object.keys(options ?? {});
  if (option !== undefined) throw new VarveError('INVALID', `a raw file has no option ${JSON.stringify(option)}`);
  if (clusterSize !== undefined) throw new VarveError('INVALID', 'a raw file has no clusters to choose the size of');
  if (backing !== undefined)
    throw new VarveError('INVALID', 'a raw file cannot build on another; choose qcow2 for that');
  await file.resize(size);
  await file.flush();
}

/** The file, and what its format tells of it. */
class RawDevice implements FormatDevice {
  readonly format = 'raw';
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  /** Left out on a block device, whose size nobody chooses. */
  readonly resize?: (size: number) => MaybePromise<void>;
  readonly #file: BlockDevice;

  constructor(file: BlockDevice, { writable = false }: OpenImageOptions) {
    this.#file = file;
    this.blockSize = file.blockSize;
    this.supports = file.supports;
    if (writable && isResizable(file)) this.resize = (size) => file.resize(size);
  }

  get size(): number {
    return this.#file.size;
  }

  information(): FormatInformation {
    return { format: 'raw', virtualSize: this.size, fileSize: this.size };
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#file.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#file.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#file.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#file.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    return this.#file.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.#file.extents(offset, length);
  }

  fileRange(offset: number, length: number): FileRange | undefined {
    return this.#file.fileRange?.(offset, length);
  }

  /** Everything has its place, holes too: they read as zeros until somebody writes there. */
  async *map(offset: number, length: number): AsyncGenerator<MappedExtent, undefined> {
    for await (const extent of this.#file.extents(offset, length)) {
      yield { ...extent, depth: 0, present: true, compressed: false, hostOffset: extent.offset };
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }
}

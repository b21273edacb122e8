import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { type Chain, ChainIndex } from './chain-index.ts';
import { type ChainLayer, isChainLayer } from './chain-layer.ts';
import type { FormatDevice, FormatInformation } from './image-format.ts';
import type { RegionRuns } from './region-runs.ts';

/** What the index of a chain may take, in bytes: enough for the runs of 100 GiB where no two clusters are in order. */
const indexCapacity = 32 * 2 ** 20;

/**
 * The same disk as `device`, read through one index of all the files that it is made of, where it is a chain of
 * images; `device` itself where it is not. It is disposed of with what is returned. Nothing may write to its files.
 */
export function mergedChain(device: BlockDevice): BlockDevice {
  if (!isLayer(device) || device.below === undefined) return device;
  const { below } = device;
  if (below instanceof MergedChain) {
    return new MergedChain({ layers: [device, ...below.chain.layers], bottom: below.chain.bottom });
  }
  if (isLayer(below)) return new MergedChain({ layers: [device, below], bottom: below.below });
  return new MergedChain({ layers: [device], bottom: below });
}

/** What may be written to may change, and an index knows nothing of that. */
function isLayer(device: BlockDevice): device is ChainLayer {
  return isChainLayer(device) && !device.supports.write;
}

/** The disk of a chain of images, to be read. Reads are synchronous as far as those of the files are. */
class MergedChain implements FormatDevice {
  readonly format: string;
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly chain: Chain;
  /** As its uppermost image tells it, which asks those below one after the other. */
  readonly map?: NonNullable<FormatDevice['map']>;
  readonly #top: ChainLayer;
  #index: ChainIndex | undefined;

  constructor(chain: Chain) {
    this.chain = chain;
    this.#top = chain.layers[0]!;
    this.format = this.#top.format;
    this.size = this.#top.size;
    this.blockSize = this.#top.blockSize;
    const top = this.#top;
    if (top.map !== undefined) this.map = top.map.bind(top);
  }

  information(): FormatInformation {
    return this.#top.information();
  }

  /** Hot: goes on without a promise as long as it can (`bench/formats.ts`). */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const index = this.#indexed();
    for (let done = 0; done < target.length; ) {
      const region = index.regionAt(offset + done);
      if (region instanceof Promise) return this.#readRest(target, offset, done, region);
      const run = region === undefined ? 0 : region.indexOf(offset + done);
      const runEnd = region === undefined ? index.endAt(offset + done) : region.endOf(run);
      const end = Math.min(target.length, runEnd - offset);
      const part = done === 0 && end === target.length ? target : target.subarray(done, end);
      const pending = this.#fill(part, offset + done, region, run);
      done = end;
      if (pending !== undefined) return this.#readRest(target, offset, done, pending);
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

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    let last: Extent | undefined;
    for await (const extent of this.#extents(offset, offset + length)) {
      if (last === undefined) last = extent;
      else if (last.kind === extent.kind) last = { ...last, length: last.length + extent.length };
      else {
        yield last;
        last = extent;
      }
    }
    if (last !== undefined) yield last;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#top[Symbol.asyncDispose]();
  }

  #indexed(): ChainIndex {
    this.#index ??= new ChainIndex(this.chain, indexCapacity);
    return this.#index;
  }

  async #readRest(target: Uint8Array, offset: number, start: number, first: Promise<unknown>): Promise<void> {
    await first;
    const index = this.#indexed();
    for (let done = start; done < target.length; ) {
      const found = index.regionAt(offset + done);
      const region = found instanceof Promise ? await found : found;
      const run = region === undefined ? 0 : region.indexOf(offset + done);
      const runEnd = region === undefined ? index.endAt(offset + done) : region.endOf(run);
      const end = Math.min(target.length, runEnd - offset);
      const pending = this.#fill(target.subarray(done, end), offset + done, region, run);
      if (pending !== undefined) await pending;
      done = end;
    }
  }

  #fill(part: Uint8Array, offset: number, region: RegionRuns | undefined, run: number): MaybePromise<void> {
    if (region === undefined) return this.#top.read(part, offset);
    const kind = region.kindOf(run);
    if (kind === 'zero' || kind === 'unallocated') {
      part.fill(0);
      return undefined;
    }
    const hostOffset = region.hostOffsetOf(run, offset);
    const layer = this.chain.layers[region.layerOf(run)];
    if (layer === undefined) return this.chain.bottom!.read(part, offset);
    const compressedLength = region.compressedLengthOf(run);
    return layer.readLayer(part, offset, { kind, length: part.length, hostOffset, compressedLength });
  }

  async *#extents(start: number, end: number): AsyncGenerator<Extent> {
    const index = this.#indexed();
    for (let offset = start; offset < end; ) {
      const region = await index.regionAt(offset);
      if (region === undefined) {
        const regionEnd = Math.min(end, index.endAt(offset));
        yield* this.#top.extents(offset, regionEnd - offset);
        offset = regionEnd;
        continue;
      }
      const run = region.indexOf(offset);
      const length = Math.min(end, region.endOf(run)) - offset;
      const kind = region.kindOf(run);
      if (kind === 'data') yield* this.#dataExtents(region.layerOf(run), offset, length);
      else yield { offset, length, kind: extentKinds[kind] };
      offset += length;
    }
  }

  /** The file below may know of zeros inside of what an image has as data. */
  async *#dataExtents(layerIndex: number, offset: number, length: number): AsyncGenerator<Extent> {
    const layer = this.chain.layers[layerIndex];
    if (layer === undefined) yield* this.chain.bottom!.extents(offset, length);
    else if (await layer.hasSparseData()) yield* layer.extents(offset, length);
    else yield { offset, length, kind: 'data' };
  }

  #readOnly(): VarveError {
    return new VarveError('READ_ONLY', 'cannot write to what an image builds on: it is opened to be read');
  }
}

const extentKinds = { unallocated: 'hole', zero: 'zero', compressed: 'data' } as const;

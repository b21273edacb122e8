import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';
import type { FormatDevice, FormatInformation } from '../image-format.ts';
import { ClusterMap, type ClusterRun } from './cluster-map.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import type { Qcow2Header } from './header.ts';
import { qcow2Extents } from './qcow2-extents.ts';
import { compressionOf, qcow2Information } from './qcow2-information.ts';

/** An opened image. */
export interface Qcow2DeviceOptions {
  readonly file: BlockDevice;
  readonly header: Qcow2Header;
  readonly l1Table: Uint8Array;
  readonly backing: BlockDevice | undefined;
  /** The image's name in errors. */
  readonly name: string;
}

/** A file with holes for less than this share of it is taken as having none. */
const sparseShare = 1 / 16;

/** The disk inside a qcow2 image, to be read. Reads are synchronous as far as those of the file are. */
export class Qcow2Device implements FormatDevice {
  readonly format = 'qcow2';
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #file: BlockDevice;
  readonly #header: Qcow2Header;
  readonly #backing: BlockDevice | undefined;
  readonly #name: string;
  readonly #map: ClusterMap;
  readonly #compressed: CompressedClusters;
  #fileIsSparse: boolean | undefined;

  constructor(options: Qcow2DeviceOptions) {
    const { file, header, backing, name } = options;
    this.#file = file;
    this.#header = header;
    this.#backing = backing;
    this.#name = name;
    this.#map = new ClusterMap(options);
    this.size = header.size;
    this.blockSize = this.#map.clusterSize;
    this.#compressed = new CompressedClusters({
      file,
      name,
      compression: compressionOf(header),
      clusterSize: this.#map.clusterSize,
    });
  }

  information(): FormatInformation {
    return qcow2Information(this.#header, this.#file.size);
  }

  /** Hot: goes on without a promise as long as it can (`bench/format.ts`). */
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

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#fileIsSparse ??= await isSparse(this.#file);
    const sparseFile = this.#fileIsSparse ? this.#file : undefined;
    yield* qcow2Extents({ map: this.#map, backing: this.#backing, sparseFile }, offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _file = this.#file;
    await using _backing = this.#backing;
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
    const run = this.#map.lookup(offset, target.length, true);
    return run instanceof Promise
      ? run.then((found) => this.#readFound(target, offset, found))
      : this.#readFound(target, offset, run);
  }

  #readFound(target: Uint8Array, offset: number, run: ClusterRun): MaybePromise<number> {
    const part = run.length === target.length ? target : target.subarray(0, run.length);
    const pending = this.#fill(part, offset, run);
    return pending === undefined ? run.length : pending.then(() => run.length);
  }

  #fill(part: Uint8Array, offset: number, run: ClusterRun): MaybePromise<void> {
    if (run.kind === 'data') return this.#file.read(part, run.hostOffset);
    if (run.kind === 'compressed') return this.#compressed.read(part, offset, run);
    const backing = run.kind === 'unallocated' ? this.#backing : undefined;
    const available = Math.min(part.length, (backing?.size ?? 0) - offset);
    if (backing === undefined || available <= 0) {
      part.fill(0);
      return undefined;
    }
    part.fill(0, available);
    return backing.read(available === part.length ? part : part.subarray(0, available), offset);
  }

  #readOnly(): VarveError {
    return new VarveError('READ_ONLY', `cannot write ${this.#name}: qcow2 images are read here, not written in place`);
  }
}

/** Whether a file has holes worth asking for: one whose clusters were allocated in advance, or discarded. */
async function isSparse(file: BlockDevice): Promise<boolean> {
  if (!file.supports.extents) return false;
  let holes = 0;
  for await (const extent of file.extents(0, file.size)) {
    if (extent.kind !== 'data') holes += extent.length;
    if (holes > file.size * sparseShare) return true;
  }
  return false;
}

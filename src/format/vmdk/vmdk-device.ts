import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';
import type { FormatDevice, FormatInformation, MappedExtent } from '../image-format.ts';
import type { DiskExtent, GrainRun } from './disk-extent.ts';
import { ExtentList, type PlacedExtent } from './extent-list.ts';
import { vmdkExtents, vmdkMap } from './vmdk-extents.ts';

/** An opened disk. */
export interface VmdkDeviceOptions {
  /** The descriptor's file, where that has one of its own. */
  readonly descriptorFile?: BlockDevice;
  /** In the disk's order. */
  readonly extents: readonly DiskExtent[];
  /** The disk it builds on. */
  readonly parent?: BlockDevice | undefined;
  readonly information: FormatInformation;
  /** In bytes, a power of two. */
  readonly grainSize: number;
  /** The disk's name in errors. */
  readonly name: string;
}

/** The disk inside VMDK files, to be read. Reads are synchronous as far as those of the files are. */
export class VmdkDevice implements FormatDevice {
  readonly format = 'vmdk';
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #descriptorFile: BlockDevice | undefined;
  readonly #extents: ExtentList;
  readonly #parent: BlockDevice | undefined;
  readonly #information: FormatInformation;
  readonly #name: string;

  constructor({ descriptorFile, extents, parent, information, grainSize, name }: VmdkDeviceOptions) {
    this.#descriptorFile = descriptorFile;
    this.#extents = new ExtentList(extents);
    this.#parent = parent;
    this.#information = information;
    this.#name = name;
    this.size = this.#extents.size;
    this.blockSize = grainSize;
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
    return vmdkExtents({ extents: this.#extents, parent: this.#parent }, offset, length);
  }

  map(offset: number, length: number): AsyncGenerator<MappedExtent> {
    return vmdkMap({ extents: this.#extents, parent: this.#parent }, offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _file = this.#descriptorFile;
    await using _parent = this.#parent;
    await using _extents = this.#extents;
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
    const placed = this.#extents.at(offset);
    const run = placed.extent.lookup(offset - placed.start, target.length, true);
    return run instanceof Promise
      ? run.then((found) => this.#readFound(target, offset, found, placed))
      : this.#readFound(target, offset, run, placed);
  }

  #readFound(target: Uint8Array, offset: number, run: GrainRun, placed: PlacedExtent): MaybePromise<number> {
    const part = run.length === target.length ? target : target.subarray(0, run.length);
    const pending =
      run.kind === 'data' || run.kind === 'compressed'
        ? placed.extent.read(part, offset - placed.start, run)
        : this.#fill(part, offset, run.kind === 'unallocated' ? this.#parent : undefined);
    return pending === undefined ? run.length : pending.then(() => run.length);
  }

  /** Fills `part` from the parent, as far as that goes, and with zeros. */
  #fill(part: Uint8Array, offset: number, parent: BlockDevice | undefined): MaybePromise<void> {
    const available = Math.min(part.length, (parent?.size ?? 0) - offset);
    if (parent === undefined || available <= 0) {
      part.fill(0);
      return undefined;
    }
    part.fill(0, available);
    return parent.read(available === part.length ? part : part.subarray(0, available), offset);
  }

  #readOnly(): VarveError {
    return new VarveError('READ_ONLY', `cannot write ${this.#name}: VMDK disks are read here, not written in place`);
  }
}

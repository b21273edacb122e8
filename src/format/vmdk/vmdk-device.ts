import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';
import type { FormatDevice, FormatInformation, MappedExtent } from '../image-format.ts';
import { RunReader, readBeneath } from '../run-reader.ts';
import type { DiskExtent, GrainRun } from './disk-extent.ts';
import { ExtentList } from './extent-list.ts';
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
  readonly #reader = new RunReader<GrainRun>({
    lookup: (offset, length) => this.#lookup(offset, length),
    fill: (part, offset, run) => this.#fill(part, offset, run),
  });

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

  #lookup(offset: number, length: number): MaybePromise<GrainRun> {
    const { extent, start } = this.#extents.at(offset);
    return extent.lookup(offset - start, length, true);
  }

  #fill(part: Uint8Array, offset: number, run: GrainRun): MaybePromise<void> {
    if (run.kind !== 'data' && run.kind !== 'compressed') {
      return readBeneath(run.kind === 'unallocated' ? this.#parent : undefined, part, offset);
    }
    const { extent, start } = this.#extents.at(offset);
    return extent.read(part, offset - start, run);
  }

  #readOnly(): VarveError {
    return new VarveError('READ_ONLY', `cannot write ${this.#name}: VMDK disks are read here, not written in place`);
  }
}

import { constants, inflateRawSync } from 'node:zlib';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent } from '../../block/block-device.ts';
import { joinedMap, mapBeneath } from '../extents-beneath.ts';
import { corruptImage } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, MappedExtent } from '../image-format.ts';
import { readBeneath } from '../run-reader.ts';
import type { Qcow1ClusterMap, Qcow1Run } from './cluster-map.ts';

/** An opened image. */
export interface Qcow1DeviceOptions {
  readonly file: BlockDevice;
  readonly map: Qcow1ClusterMap;
  readonly backing: BlockDevice | undefined;
  readonly information: FormatInformation;
  readonly clusterSize: number;
  /** The image's name in errors. */
  readonly name: string;
}

/** The disk inside a qcow image of version 1, to be read. */
export class Qcow1Device implements FormatDevice {
  readonly format = 'qcow';
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #options: Qcow1DeviceOptions;
  /** The cluster that was unpacked last, by where its compressed bytes are. */
  #unpacked: { readonly hostOffset: number; readonly bytes: Uint8Array } | undefined;

  constructor(options: Qcow1DeviceOptions) {
    this.#options = options;
    this.size = options.information.virtualSize;
    this.blockSize = options.clusterSize;
  }

  information(): FormatInformation {
    return this.#options.information;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const run = await this.#options.map.lookup(offset + done, target.length - done);
      await this.#fill(target.subarray(done, done + run.length), offset + done, run);
      done += run.length;
    }
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
    for await (const run of this.map(offset, length)) {
      yield { offset: run.offset, length: run.length, kind: run.kind };
    }
  }

  map(offset: number, length: number): AsyncGenerator<MappedExtent> {
    return joinedMap(this.#runs(offset, length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _file = this.#options.file;
    await using _backing = this.#options.backing;
  }

  async *#runs(offset: number, length: number): AsyncGenerator<MappedExtent> {
    const { backing, map } = this.#options;
    for (let position = offset; position < offset + length; ) {
      const run = await map.lookup(position, offset + length - position);
      if (run.kind === 'backing') yield* mapBeneath(backing, { offset: position, length: run.length });
      else {
        const where = run.kind === 'data' ? { hostOffset: run.hostOffset } : {};
        const common = { offset: position, length: run.length, kind: 'data', depth: 0, present: true } as const;
        yield { ...common, compressed: run.kind === 'compressed', ...where };
      }
      position += run.length;
    }
  }

  async #fill(part: Uint8Array, offset: number, run: Qcow1Run): Promise<void> {
    const { backing, clusterSize, file } = this.#options;
    if (run.kind === 'data') return await file.read(part, run.hostOffset);
    if (run.kind === 'compressed') {
      const cluster = await this.#unpack(run);
      part.set(cluster.subarray(offset % clusterSize, (offset % clusterSize) + part.length));
      return;
    }
    await readBeneath(backing, part, offset);
  }

  async #unpack({ compressedLength, hostOffset }: Qcow1Run): Promise<Uint8Array> {
    if (this.#unpacked?.hostOffset === hostOffset) return this.#unpacked.bytes;
    const packed = new Uint8Array(compressedLength);
    if (compressedLength > 0) await this.#options.file.read(packed, hostOffset);
    const bytes = this.#inflate(packed, hostOffset);
    this.#unpacked = { hostOffset, bytes };
    return bytes;
  }

  /** Output is bounded by the cluster's size, and has to be just that. */
  #inflate(packed: Uint8Array, hostOffset: number): Uint8Array {
    const { clusterSize, name } = this.#options;
    const bounds = { chunkSize: clusterSize + 64, maxOutputLength: clusterSize, finishFlush: constants.Z_SYNC_FLUSH };
    const why = `the compressed cluster at byte ${hostOffset} of the file`;
    try {
      const bytes = inflateRawSync(packed, bounds);
      if (bytes.length === clusterSize) return bytes;
    } catch (cause) {
      throw new VarveError('CORRUPT', `cannot read ${name}: ${why} makes no sense`, { cause });
    }
    throw corruptImage(name, `${why} gives no whole cluster`);
  }

  #readOnly(): VarveError {
    const what = 'qcow images of version 1 are read here, not written in place';
    return new VarveError('READ_ONLY', `cannot write ${this.#options.name}: ${what}; convert it to a qcow2 image`);
  }
}

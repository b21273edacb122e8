import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';
import type { ChainLayer, LayerRun } from '../chain-layer.ts';
import type { DiskRange } from '../data-ranges.ts';
import type { FormatInformation, MappedExtent } from '../image-format.ts';
import { RunReader, readBeneath } from '../run-reader.ts';
import { qcow2DirtyRanges } from './bitmaps/dirty-ranges.ts';
import { l2Coverage } from './check-header.ts';
import type { ClusterData } from './cluster-data.ts';
import { ClusterMap, type ClusterRun } from './cluster-map.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import type { ImageContents } from './image-contents.ts';
import type { ImageFile } from './image-file.ts';
import type { ImageTables } from './image-tables.ts';
import type { L1Table } from './l1-table.ts';
import { qcow2Extents } from './qcow2-extents.ts';
import { compressionOf, qcow2Information } from './qcow2-information.ts';
import { type MapSources, qcow2Map } from './qcow2-map.ts';
import { Qcow2Writer } from './qcow2-writer.ts';
import type { TableCache } from './table-cache.ts';

/** An opened image. */
export interface Qcow2DeviceOptions {
  readonly image: ImageFile;
  readonly data: ClusterData;
  readonly l1: L1Table;
  readonly tables: TableCache;
  readonly backing: BlockDevice | undefined;
  readonly contents: ImageContents;
  /** The tables to be changed; undefined where the image is only read. */
  readonly changes: ImageTables | undefined;
}

/** A file with holes for less than this share of it, or for no more clusters, is taken as having none, as QEMU has it. */
const sparseShare = 1 / 10;
const sparseClusters = 2;

/** The disk inside a qcow2 image. Requests are synchronous as far as those of the file are. */
export class Qcow2Device implements ChainLayer {
  readonly format = 'qcow2';
  size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly tableCoverage: number;
  readonly #image: ImageFile;
  readonly #data: ClusterData;
  readonly #backing: BlockDevice | undefined;
  readonly #contents: ImageContents;
  readonly #map: ClusterMap;
  readonly #tables: TableCache;
  readonly #compressed: CompressedClusters;
  readonly #mapSources: Omit<MapSources, 'sparseFile'>;
  readonly #reader: RunReader<ClusterRun>;
  readonly #writer: Qcow2Writer | undefined;
  #fileIsSparse: boolean | undefined;
  #disposal: Promise<void> | undefined;

  constructor({ backing, changes, contents, data, image, l1, tables }: Qcow2DeviceOptions) {
    const { clusterSize, file, header, name } = image;
    this.#image = image;
    this.#data = data;
    this.#backing = backing;
    this.#contents = contents;
    this.#map = new ClusterMap({ file: data.file, isDataExternal: data.isExternal, header, l1, name, tables });
    this.size = header.size;
    this.blockSize = clusterSize;
    this.tableCoverage = l2Coverage(header);
    this.#tables = tables;
    this.#compressed = new CompressedClusters({ file, name, compression: compressionOf(header), clusterSize });
    this.#mapSources = { image, l1, tables, backing, isPlain: data.isPlain };
    this.#reader = new RunReader({
      lookup: (offset, length) => this.#map.lookup(offset, length, true),
      fill: (part, offset, run) => this.#fill(part, offset, run),
    });
    const isWritable = changes !== undefined;
    this.supports = { write: isWritable, trim: isWritable, zero: isWritable, extents: true };
    if (changes === undefined) return;
    const read = (target: Uint8Array, offset: number): MaybePromise<void> => this.#reader.read(target, offset);
    this.#writer = new Qcow2Writer({ tables: changes, map: this.#map, backing, read });
  }

  information(): FormatInformation {
    return qcow2Information(this.#image.header, this.#image.file.size, this.#contents);
  }

  dirtyRanges(bitmap: string): AsyncIterable<DiskRange> {
    return qcow2DirtyRanges(this.#image.file, this.#image.name, bitmap);
  }

  /** Hot: goes on without a promise as long as it can (`bench/formats.ts`). */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const pending = this.#reader.read(target, offset);
    return pending === undefined || this.#writer === undefined ? pending : this.#writer.track(pending);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#changing.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#changing.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#changing.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    return this.#writer?.flush();
  }

  async resize(size: number): Promise<void> {
    await this.#changing.resize(size);
    this.size = this.#image.header.size;
  }

  async *map(offset: number, length: number): AsyncGenerator<MappedExtent> {
    const isSparse = !this.#data.isExternal && (await this.hasSparseData());
    const sparseFile = isSparse ? this.#data.file : undefined;
    yield* qcow2Map({ ...this.#mapSources, sparseFile }, offset, length);
  }

  get below(): BlockDevice | undefined {
    return this.#backing;
  }

  lookupLayer(offset: number, length: number): MaybePromise<LayerRun> {
    return this.#map.lookup(offset, length, true);
  }

  readLayer(target: Uint8Array, offset: number, run: LayerRun): MaybePromise<void> {
    return this.#fill(target, offset, run);
  }

  async hasSparseData(): Promise<boolean> {
    // What is written makes no file sparser than it was before.
    this.#fileIsSparse ??= this.#data.isPlain && (await isSparse(this.#data.file, this.blockSize));
    return this.#fileIsSparse;
  }

  forgetTables(): void {
    this.#tables.forgetUnchanged();
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    const sparseFile = (await this.hasSparseData()) ? this.#data.file : undefined;
    yield* qcow2Extents({ map: this.#map, backing: this.#backing, sparseFile }, offset, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    await using _file = this.#image.file;
    await using _data = this.#data.isExternal ? this.#data.file : undefined;
    await using _backing = this.#backing;
    await this.#writer?.close();
  }

  get #changing(): Qcow2Writer {
    if (this.#writer !== undefined) return this.#writer;
    throw new VarveError('READ_ONLY', `cannot write ${this.#image.name}: it was opened to be read`);
  }

  #fill(part: Uint8Array, offset: number, run: ClusterRun): MaybePromise<void> {
    if (run.kind === 'data') return this.#data.read(part, run.hostOffset, offset);
    if (run.kind === 'compressed') return this.#compressed.read(part, offset, run);
    return readBeneath(run.kind === 'unallocated' ? this.#backing : undefined, part, offset);
  }
}

/** Whether a file has holes worth asking for: one whose clusters were allocated in advance, or discarded. */
async function isSparse(file: BlockDevice, clusterSize: number): Promise<boolean> {
  if (!file.supports.extents) return false;
  const leastHoles = Math.max(file.size * sparseShare, sparseClusters * clusterSize);
  let holes = 0;
  for await (const extent of file.extents(0, file.size)) {
    if (extent.kind !== 'data') holes += extent.length;
    if (holes > leastHoles) return true;
  }
  return false;
}

import { LruMap } from '../../base/lru.ts';
import type { FileExtent } from '../file-system.ts';
import type { Attribute, ElsewherePart } from './attribute.ts';
import { CompressedUnits } from './compressed-units.ts';
import { findRun } from './file-table.ts';
import type { NtfsVolume } from './ntfs-volume.ts';
import { type ClusterRun, decodeRuns } from './run-list.ts';

/** How many parts' runs are kept. */
const cachedParts = 32;

/** Where the parts of an attribute are; `firstClusters` in order, the first of them 0. */
export interface PartSource {
  readonly firstClusters: readonly number[];
  load(index: number): Promise<ElsewherePart>;
}

/** The content of an attribute. */
export class AttributeStream {
  /** In bytes. */
  readonly size: number;
  /** What it takes on the device, in bytes; nothing where it is in a record. */
  readonly allocated: number;
  readonly isEncrypted: boolean;
  readonly #volume: NtfsVolume;
  readonly #title: () => string;
  readonly #resident: Uint8Array | undefined;
  /** What is past this was never written. */
  readonly #writtenSize: number;
  readonly #units: CompressedUnits | undefined;
  readonly #source: PartSource;
  readonly #runs = new LruMap<number, ClusterRun[]>(cachedParts);

  /** `title` says what it is called in errors. @throws VarveError `CORRUPT` */
  constructor(volume: NtfsVolume, title: () => string, head: Attribute, source: PartSource) {
    const { content } = head;
    this.#volume = volume;
    this.#title = title;
    this.#source = source;
    this.isEncrypted = head.isEncrypted;
    const isResident = content instanceof Uint8Array;
    this.#resident = isResident ? content : undefined;
    this.size = isResident ? content.length : content.size;
    this.#writtenSize = isResident ? content.length : Math.min(content.writtenSize, content.size);
    this.allocated = isResident ? 0 : content.allocated;
    if (isResident) return;
    if (source.firstClusters[0] !== 0) throw volume.corrupt(`${this.title} lacks its beginning`);
    if (head.isCompressed) {
      const { size } = this;
      this.#units = new CompressedUnits(volume, { title: this.title, size, unitShift: content.unitShift }, (cluster) =>
        this.#findRun(cluster),
      );
    }
  }

  /** What it is called in errors. */
  get title(): string {
    return this.#title();
  }

  /** Reads from `offset` until `target` is full or it ends; returns how many bytes. @throws VarveError `CORRUPT` */
  async read(target: Uint8Array, offset: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    if (this.#resident !== undefined) {
      target.set(this.#resident.subarray(offset, offset + length));
      return length;
    }
    if (this.isEncrypted) throw this.#volume.unsupported(`${this.title} is encrypted (EFS)`);
    const written = Math.max(0, Math.min(length, this.#writtenSize - offset));
    if (this.#units === undefined) await this.#readRuns(target.subarray(0, written), offset);
    else await this.#units.read(target.subarray(0, written), offset);
    target.fill(0, written, length);
    return length;
  }

  /** The runs of its bytes. */
  async *extents(): AsyncGenerator<FileExtent> {
    if (this.#resident !== undefined) {
      if (this.size > 0) yield { offset: 0, length: this.size, kind: 'data' };
      return;
    }
    if (this.#units === undefined) yield* this.#plainExtents();
    else yield* this.#units.extents(this.#writtenSize);
  }

  async *#plainExtents(): AsyncGenerator<FileExtent> {
    const { clusterSize } = this.#volume.layout;
    for (let offset = 0; offset < this.size; ) {
      const isWritten = offset < this.#writtenSize;
      const { start, count, cluster } = await this.#run(Math.floor(offset / clusterSize));
      const end = Math.min((start + count) * clusterSize, isWritten ? this.#writtenSize : this.size);
      const place = cluster === undefined ? undefined : cluster * clusterSize + offset - start * clusterSize;
      const kind = cluster === undefined ? 'hole' : isWritten ? 'data' : 'zero';
      yield { offset, length: end - offset, kind, ...(place !== undefined && !this.isEncrypted && { place }) };
      offset = end;
    }
  }

  async #readRuns(target: Uint8Array, offset: number): Promise<void> {
    const { clusterSize } = this.#volume.layout;
    for (let done = 0; done < target.length; ) {
      const position = offset + done;
      const { start, count, cluster } = await this.#run(Math.floor(position / clusterSize));
      const inside = position - start * clusterSize;
      const part = target.subarray(done, done + Math.min(target.length - done, count * clusterSize - inside));
      if (cluster === undefined) part.fill(0);
      else await this.#volume.read(part, cluster * clusterSize + inside, this.title);
      done += part.length;
    }
  }

  async #run(cluster: number): Promise<ClusterRun> {
    const run = await this.#findRun(cluster);
    if (run === undefined) throw this.#volume.corrupt(`${this.title} ends before it should, at cluster ${cluster}`);
    return run;
  }

  /** The run in which a cluster of the attribute is. */
  async #findRun(cluster: number): Promise<ClusterRun | undefined> {
    const { firstClusters } = this.#source;
    let low = 0;
    let high = firstClusters.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (firstClusters[middle]! <= cluster) low = middle;
      else high = middle;
    }
    return findRun(this.#runs.get(low) ?? (await this.#loadRuns(low)), cluster);
  }

  async #loadRuns(index: number): Promise<ClusterRun[]> {
    const { runs: bytes, firstCluster } = await this.#source.load(index);
    const runs = decodeRuns(bytes, firstCluster, this.#volume.layout.clusterCount);
    if (typeof runs === 'string') throw this.#volume.corrupt(`the runs of ${this.title} ${runs}`);
    this.#runs.set(index, runs);
    return runs;
  }
}

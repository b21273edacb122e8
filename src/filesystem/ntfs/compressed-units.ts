import { LruMap } from '../../base/lru.ts';
import type { FileExtent } from '../file-system.ts';
import { unpackLznt1 } from './lznt1.ts';
import type { NtfsVolume } from './ntfs-volume.ts';
import type { ClusterRun } from './run-list.ts';

/** How many bytes of units are kept, unpacked. */
const cachedLength = 2 << 20;
/** Windows has units of 64 KiB at most. */
const largestUnit = 1 << 20;

/** How a unit is stored. */
type UnitKind = 'hole' | 'plain' | 'packed';

/** What is compressed, and in which units. */
interface CompressedContent {
  readonly title: string;
  readonly size: number;
  /** How many clusters a unit has, as a power of two. */
  readonly unitShift: number;
}

/** Finds the run in which a cluster of the attribute is, if there is one. */
type FindRun = (cluster: number) => Promise<ClusterRun | undefined>;

/**
 * The content of a compressed attribute: units of which each has all its clusters, and is stored as it is; or fewer, and
 * then a hole up to its end, and is compressed; or none, and is zeros.
 *
 * Source: Linux-NTFS project, NTFS documentation, "Compression" of "$DATA".
 */
export class CompressedUnits {
  readonly #volume: NtfsVolume;
  readonly #content: CompressedContent;
  readonly #findRun: FindRun;
  readonly #unitClusters: number;
  readonly #unitLength: number;
  readonly #unpacked = new LruMap<number, Uint8Array>(cachedLength);

  /** @throws VarveError `CORRUPT` where units cannot be */
  constructor(volume: NtfsVolume, content: CompressedContent, findRun: FindRun) {
    this.#volume = volume;
    this.#content = content;
    this.#findRun = findRun;
    this.#unitClusters = 2 ** content.unitShift;
    this.#unitLength = volume.layout.clusterSize * this.#unitClusters;
    if (content.unitShift > 0 && this.#unitLength <= largestUnit) return;
    throw volume.corrupt(`${content.title} is compressed in units of ${this.#unitLength} bytes`);
  }

  /** Fills `target` from `offset`. @throws VarveError `CORRUPT` */
  async read(target: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const inside = (offset + done) % this.#unitLength;
      const part = target.subarray(done, done + Math.min(target.length - done, this.#unitLength - inside));
      await this.#readUnit(Math.floor((offset + done) / this.#unitLength), part, inside);
      done += part.length;
    }
  }

  /** The runs; what is past `writtenSize` is zeros. */
  async *extents(writtenSize: number): AsyncGenerator<FileExtent> {
    const { size } = this.#content;
    let last: FileExtent | undefined;
    for (let offset = 0; offset < size; ) {
      const next = await this.#extent(offset, offset < writtenSize ? writtenSize : size, offset < writtenSize);
      const joined = last && join(last, next);
      if (last !== undefined && joined === undefined) yield last;
      last = joined ?? next;
      offset += next.length;
    }
    if (last !== undefined) yield last;
  }

  async #extent(offset: number, end: number, isWritten: boolean): Promise<FileExtent> {
    const { clusterSize } = this.#volume.layout;
    const index = Math.floor(offset / this.#unitLength);
    const run = await this.#run(index * this.#unitClusters);
    const unitEnd = (index + 1) * this.#unitLength;
    if (run.cluster === undefined) {
      // A hole may be long: all its units at once.
      const holeUnits = Math.floor((run.start + run.count) / this.#unitClusters);
      const length = Math.min(end, Math.max(unitEnd, holeUnits * this.#unitLength)) - offset;
      return { offset, length, kind: 'hole' };
    }
    const length = Math.min(end, unitEnd) - offset;
    if (!isWritten) return { offset, length, kind: 'zero' };
    const isTogether = run.start + run.count >= (index + 1) * this.#unitClusters;
    const place = isTogether ? run.cluster * clusterSize + offset - run.start * clusterSize : undefined;
    return { offset, length, kind: 'data', ...(place !== undefined && { place }) };
  }

  async #readUnit(index: number, target: Uint8Array, inside: number): Promise<void> {
    const { kind, stored } = await this.#storedClusters(index);
    if (kind === 'hole') {
      target.fill(0);
    } else if (kind === 'plain') {
      await this.#readStored(stored, target, inside);
    } else {
      const unit = this.#unpacked.get(index) ?? (await this.#unpack(index, stored));
      target.set(unit.subarray(inside, inside + target.length));
    }
  }

  async #unpack(index: number, stored: readonly number[]): Promise<Uint8Array> {
    const { clusterSize } = this.#volume.layout;
    const packed = new Uint8Array(stored.length * clusterSize);
    await this.#readStored(stored, packed, 0);
    const unit = new Uint8Array(this.#unitLength);
    const problem = unpackLznt1(packed, unit);
    if (problem !== undefined) {
      throw this.#volume.corrupt(
        `${this.#content.title} cannot be unpacked at byte ${index * this.#unitLength}: ${problem}`,
      );
    }
    this.#unpacked.set(index, unit, unit.length);
    return unit;
  }

  /** The clusters of the device that a unit has. */
  async #storedClusters(index: number): Promise<{ kind: UnitKind; stored: readonly number[] }> {
    const first = index * this.#unitClusters;
    const end = first + this.#unitClusters;
    const stored: number[] = [];
    for (let cluster = first; cluster < end; ) {
      // Runs may end where the file does, and not the unit.
      const isNeeded = cluster * this.#volume.layout.clusterSize < this.#content.size;
      const run = isNeeded ? await this.#run(cluster) : await this.#findRun(cluster);
      if (run?.cluster === undefined) break;
      const stop = Math.min(run.start + run.count, end);
      for (; cluster < stop; cluster++) stored.push(run.cluster + cluster - run.start);
    }
    const kind = stored.length === 0 ? 'hole' : stored.length === this.#unitClusters ? 'plain' : 'packed';
    return { kind, stored };
  }

  async #run(cluster: number): Promise<ClusterRun> {
    const run = await this.#findRun(cluster);
    if (run !== undefined) return run;
    throw this.#volume.corrupt(`${this.#content.title} ends before it should, at cluster ${cluster}`);
  }

  async #readStored(stored: readonly number[], target: Uint8Array, offset: number): Promise<void> {
    const { clusterSize } = this.#volume.layout;
    for (let done = 0; done < target.length; ) {
      const index = Math.floor((offset + done) / clusterSize);
      const inside = (offset + done) % clusterSize;
      let count = 1;
      while (index + count < stored.length && stored[index + count] === stored[index]! + count) count++;
      const part = target.subarray(done, done + Math.min(target.length - done, count * clusterSize - inside));
      await this.#volume.read(part, stored[index]! * clusterSize + inside, this.#content.title);
      done += part.length;
    }
  }
}

/** Two neighbours as one, where they are of one kind and in one piece. */
function join(one: FileExtent, next: FileExtent): FileExtent | undefined {
  const place = one.place === undefined ? undefined : one.place + one.length;
  if (one.kind !== next.kind || place !== next.place) return undefined;
  return { ...one, length: one.length + next.length };
}

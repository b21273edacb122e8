import { VarveError } from '../../base/varve-error.ts';
import { type AllocationTable, chainEnds } from './allocation-table.ts';
import type { ExfatLayout } from './boot-region.ts';

/** Every so many clusters of a chain one is remembered, so that memory stays small and no way is long. */
const stride = 256;

/** A run of bytes on the device. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Where a file or directory is, and how its clusters follow each other. */
export interface Allocation {
  /** 0 where there are no clusters. */
  readonly firstCluster: number;
  /** How many bytes it takes; undefined for a root directory, which ends where its chain does. */
  readonly length: number | undefined;
  /** Whether its clusters just follow each other, whatever the table says. */
  readonly isContiguous: boolean;
}

/** Which of a chain's clusters it is, from 0, and its number. */
interface ChainPlace {
  readonly position: number;
  readonly cluster: number;
}

/** What a chain of clusters needs besides its allocation. */
export interface ChainContext {
  readonly table: AllocationTable;
  readonly layout: ExfatLayout;
  /** Names it in errors: `web.img: the file at byte 4096`. */
  readonly what: string;
}

/** The clusters of a file or directory, looked up as they are needed. */
export class ClusterChain {
  readonly #context: ChainContext;
  readonly #isContiguous: boolean;
  readonly #first: number;
  /** The clusters at 0, `stride`, 2 × `stride` … of the chain, as far as it was followed. */
  readonly #marks: number[];
  /** The cluster that was found last, and which of the chain it is. */
  #last: ChainPlace;
  /** How far the chain was ever followed, and a cluster before: one that is met again is in a circle. */
  #farthest: number;
  #milestone: ChainPlace;

  /** @throws VarveError `CORRUPT` where its first cluster is none, or it has no room for its length */
  constructor(context: ChainContext, { firstCluster, length = 0, isContiguous }: Allocation) {
    this.#context = context;
    this.#isContiguous = isContiguous;
    this.#first = firstCluster;
    this.#marks = [firstCluster];
    this.#last = { position: 0, cluster: firstCluster };
    this.#farthest = 0;
    this.#milestone = this.#last;
    const { clusterCount, clusterSize } = context.layout;
    const count = Math.ceil(length / clusterSize);
    if (count > clusterCount) this.#corrupt(`has ${length} bytes, more than there are`);
    if (firstCluster === 0 && count === 0) return;
    this.#checkCluster(firstCluster);
    if (isContiguous && firstCluster + count > clusterCount + 2) this.#corrupt('goes on past the last cluster');
  }

  /**
   * Where the bytes from `offset` on are, as far as they are in one piece, at most `length`; undefined where the chain
   * ends before them.
   *
   * @throws VarveError `CORRUPT` where it leads to impossible clusters, or in a circle
   */
  async run(offset: number, length: number): Promise<Place | undefined> {
    const { clusterSize, heapOffset } = this.#context.layout;
    const index = Math.floor(offset / clusterSize);
    const cluster = await this.#at(index);
    if (cluster === undefined) return undefined;
    const place = heapOffset + (cluster - 2) * clusterSize + (offset % clusterSize);
    if (this.#isContiguous) return { offset: place, length };
    let end = (index + 1) * clusterSize;
    for (let count = 1; end < offset + length; count++, end += clusterSize) {
      if ((await this.#at(index + count)) !== cluster + count) break;
    }
    return { offset: place, length: Math.min(length, end - offset) };
  }

  /** The cluster that is number `index` of the chain, from 0. */
  async #at(index: number): Promise<number | undefined> {
    if (this.#first === 0) return undefined;
    if (this.#isContiguous) return this.#first + index;
    let { position, cluster } = this.#startFor(index);
    while (position < index) {
      const next = await this.#context.table.next(cluster);
      if (next === chainEnds) return undefined;
      this.#checkCluster(next);
      cluster = next;
      position += 1;
      if (position > this.#farthest) this.#goFarther(position, cluster);
    }
    this.#last = { position, cluster };
    return cluster;
  }

  /** Source: Brent, An improved Monte Carlo factorization algorithm, on cycles: milestones are ever farther apart. */
  #goFarther(position: number, cluster: number): void {
    if (cluster === this.#milestone.cluster) this.#corrupt('goes round in a circle');
    if (position > this.#milestone.position * 2) this.#milestone = { position, cluster };
    this.#farthest = position;
    if (position === this.#marks.length * stride) this.#marks.push(cluster);
  }

  /** The nearest cluster before number `index` that is known. */
  #startFor(index: number): ChainPlace {
    const mark = Math.min(Math.floor(index / stride), this.#marks.length - 1);
    const { position } = this.#last;
    return position <= index && position >= mark * stride
      ? this.#last
      : { position: mark * stride, cluster: this.#marks[mark]! };
  }

  #checkCluster(cluster: number): void {
    if (cluster >= 2 && cluster < this.#context.layout.clusterCount + 2) return;
    this.#corrupt(`leads to cluster ${cluster}, which cannot be`);
  }

  #corrupt(why: string): never {
    throw new VarveError('CORRUPT', `cannot read ${this.#context.what}: its chain of clusters ${why}`);
  }
}

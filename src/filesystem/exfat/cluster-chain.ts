import { VarveError } from '../../base/varve-error.ts';
import { FollowedChain } from '../followed-chain.ts';
import { type AllocationTable, chainEnds } from './allocation-table.ts';
import type { ExfatLayout } from './boot-region.ts';

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
  readonly #chain: FollowedChain;

  /** @throws VarveError `CORRUPT` where its first cluster is none, or it has no room for its length */
  constructor(context: ChainContext, { firstCluster, length = 0, isContiguous }: Allocation) {
    this.#context = context;
    this.#isContiguous = isContiguous;
    this.#first = firstCluster;
    const next = (cluster: number) => this.#next(cluster);
    this.#chain = new FollowedChain({ first: firstCluster, next, corrupt: (why) => this.#corrupt(why) });
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
    return await this.#chain.at(index);
  }

  async #next(cluster: number): Promise<number | undefined> {
    const next = await this.#context.table.next(cluster);
    if (next === chainEnds) return undefined;
    this.#checkCluster(next);
    return next;
  }

  #checkCluster(cluster: number): void {
    if (cluster >= 2 && cluster < this.#context.layout.clusterCount + 2) return;
    this.#corrupt(`leads to cluster ${cluster}, which cannot be`);
  }

  #corrupt(why: string): never {
    throw new VarveError('CORRUPT', `cannot read ${this.#context.what}: its chain of clusters ${why}`);
  }
}

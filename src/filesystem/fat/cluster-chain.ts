import { VarveError } from '../../base/varve-error.ts';
import { FollowedChain } from '../followed-chain.ts';
import { type AllocationTable, chainEnds } from './allocation-table.ts';
import type { FatLayout } from './boot-sector.ts';

/** Which clusters a file or directory consists of, looked up as they are needed. */
export class ClusterChain {
  readonly #table: AllocationTable;
  readonly #layout: FatLayout;
  readonly #what: string;
  readonly #chain: FollowedChain;

  /** `what` names the file in errors: `web.img: file at byte 4096`. */
  constructor(table: AllocationTable, layout: FatLayout, first: number, what: string) {
    this.#table = table;
    this.#layout = layout;
    this.#what = what;
    this.#checkCluster(first);
    const next = (cluster: number) => this.#next(cluster);
    this.#chain = new FollowedChain({ first, next, corrupt: (why) => this.#corrupt(why) });
  }

  /**
   * The cluster that is number `index` of the chain, from 0; undefined where the chain ends before it.
   *
   * @throws VarveError `CORRUPT` where it leads into free or impossible clusters, or in a circle
   */
  async at(index: number): Promise<number | undefined> {
    return await this.#chain.at(index);
  }

  /** Where a cluster begins on the device, in bytes. */
  placeOf(cluster: number): number {
    return this.#layout.dataOffset + (cluster - 2) * this.#layout.clusterSize;
  }

  async #next(cluster: number): Promise<number | undefined> {
    const next = await this.#table.next(cluster);
    if (next === chainEnds) return undefined;
    this.#checkCluster(next);
    return next;
  }

  #checkCluster(cluster: number): void {
    if (cluster >= 2 && cluster < this.#layout.clusterCount + 2) return;
    this.#corrupt(`leads to cluster ${cluster}, which cannot be`);
  }

  #corrupt(why: string): never {
    throw new VarveError('CORRUPT', `cannot read ${this.#what}: its chain of clusters ${why}`);
  }
}

import { VarveError } from '../../base/varve-error.ts';
import { type AllocationTable, chainEnds } from './allocation-table.ts';
import type { FatLayout } from './boot-sector.ts';

/** Every so many clusters of a chain one is remembered, so that memory stays small and no way is long. */
const stride = 256;

/** Which clusters a file or directory consists of, looked up as they are needed. */
export class ClusterChain {
  readonly #table: AllocationTable;
  readonly #layout: FatLayout;
  readonly #what: string;
  /** The clusters at 0, `stride`, 2 × `stride` … of the chain, as far as it was followed. */
  readonly #marks: number[];
  /** The cluster that was found last, and which of the chain it is. */
  #last: { readonly position: number; readonly cluster: number };

  /** `what` names the file in errors: `web.img: file at byte 4096`. */
  constructor(table: AllocationTable, layout: FatLayout, first: number, what: string) {
    this.#table = table;
    this.#layout = layout;
    this.#what = what;
    this.#checkCluster(first);
    this.#marks = [first];
    this.#last = { position: 0, cluster: first };
  }

  /**
   * The cluster that is number `index` of the chain, from 0; undefined where the chain ends before it.
   *
   * @throws VarveError `CORRUPT` where it leads into free or impossible clusters, or in a circle
   */
  async at(index: number): Promise<number | undefined> {
    let { position, cluster } = this.#startFor(index);
    while (position < index) {
      const next = await this.#table.next(cluster);
      if (next === chainEnds) return undefined;
      this.#checkCluster(next);
      cluster = next;
      position += 1;
      if (position > this.#layout.clusterCount) this.#corrupt('goes round in a circle');
      if (position === this.#marks.length * stride) this.#marks.push(cluster);
    }
    this.#last = { position, cluster };
    return cluster;
  }

  /** Where a cluster begins on the device, in bytes. */
  placeOf(cluster: number): number {
    return this.#layout.dataOffset + (cluster - 2) * this.#layout.clusterSize;
  }

  /** The nearest cluster before number `index` that is known. */
  #startFor(index: number): { readonly position: number; readonly cluster: number } {
    const mark = Math.min(Math.floor(index / stride), this.#marks.length - 1);
    const { position } = this.#last;
    return position <= index && position >= mark * stride
      ? this.#last
      : { position: mark * stride, cluster: this.#marks[mark]! };
  }

  #checkCluster(cluster: number): void {
    if (cluster >= 2 && cluster < this.#layout.clusterCount + 2) return;
    this.#corrupt(`leads to cluster ${cluster}, which cannot be`);
  }

  #corrupt(why: string): never {
    throw new VarveError('CORRUPT', `cannot read ${this.#what}: its chain of clusters ${why}`);
  }
}

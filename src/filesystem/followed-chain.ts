/** Every so many clusters of a chain one is remembered, so that memory stays small and no way is long. */
const stride = 256;

/** Where a chain begins, and how it goes on. */
export interface ChainLinks {
  readonly first: number;
  /** The cluster after `cluster`, checked to be one; undefined where the chain ends. */
  next(cluster: number): Promise<number | undefined>;
  /** Throws that the chain `why`. */
  corrupt(why: string): never;
}

/** Which of a chain's clusters it is, from 0, and its number. */
interface ChainPlace {
  readonly position: number;
  readonly cluster: number;
}

/** Clusters of which each names the next one, as those of FAT and exFAT do, followed as they are needed. */
export class FollowedChain {
  readonly #links: ChainLinks;
  /** The clusters at 0, `stride`, 2 × `stride` … of the chain, as far as it was followed. */
  readonly #marks: number[];
  /** The cluster that was found last, and which of the chain it is. */
  #last: ChainPlace;
  /** How far the chain was ever followed, and a cluster before: one that is met again is in a circle. */
  #farthest = 0;
  #milestone: ChainPlace;

  constructor(links: ChainLinks) {
    this.#links = links;
    this.#marks = [links.first];
    this.#last = { position: 0, cluster: links.first };
    this.#milestone = this.#last;
  }

  /** The cluster that is number `index` of the chain, from 0; undefined where the chain ends before it. */
  async at(index: number): Promise<number | undefined> {
    let { position, cluster } = this.#startFor(index);
    while (position < index) {
      const next = await this.#links.next(cluster);
      if (next === undefined) return undefined;
      cluster = next;
      position += 1;
      if (position > this.#farthest) this.#goFarther(position, cluster);
    }
    this.#last = { position, cluster };
    return cluster;
  }

  /**
   * Finds a circle within a small multiple of its length and of the way to it, however many clusters the disk says it has.
   * Source: Brent, An improved Monte Carlo factorization algorithm, on cycles: milestones are ever farther apart.
   */
  #goFarther(position: number, cluster: number): void {
    if (cluster === this.#milestone.cluster) this.#links.corrupt('goes round in a circle');
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
}

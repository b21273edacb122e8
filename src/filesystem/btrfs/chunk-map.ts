import { VarveError } from '../../base/varve-error.ts';
import { type Chunk, parallelStripes, stripeUnit } from './chunk.ts';

/** A run of addresses that is in one piece wherever it is. */
export interface ChunkRun {
  /** Where its copies on this device begin, in bytes; at least one. */
  readonly copies: readonly number[];
  /** In bytes. */
  readonly length: number;
}

/** What a map is made for. */
export interface ChunkMapOptions {
  /** The disk's, in errors. */
  readonly name: string;
  readonly deviceId: number;
  /** In bytes. */
  readonly deviceSize: number;
}

/** Which addresses are where on this device. */
export class ChunkMap {
  readonly #options: ChunkMapOptions;
  /** By where they begin. */
  #chunks: Chunk[] = [];
  #last: Chunk | undefined;

  constructor(options: ChunkMapOptions) {
    this.#options = options;
  }

  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Takes the place of all chunks so far. @throws VarveError `CORRUPT` where they overlap, or lie outside the device */
  replace(chunks: readonly Chunk[]): void {
    const sorted = chunks.toSorted((a, b) => a.start - b.start);
    sorted.forEach((chunk, index) => {
      const before = sorted[index - 1];
      if (before !== undefined && before.start + before.length > chunk.start) {
        throw this.#corrupt(`chunks ${before.start} and ${chunk.start} overlap`);
      }
      this.#checkStripes(chunk);
    });
    this.#chunks = sorted;
    this.#last = undefined;
  }

  /** The chunk that holds an address. */
  find(address: number): Chunk | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.start + last.length) return last;
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#chunks[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const chunk = this.#chunks[low - 1];
    if (chunk === undefined || address >= chunk.start + chunk.length) return undefined;
    this.#last = chunk;
    return chunk;
  }

  /**
   * Where the bytes from `address` on are; `what` names them in errors.
   *
   * @throws VarveError `CORRUPT` where no chunk holds them, `UNSUPPORTED` where they are on other devices
   */
  locate(address: number, what: string): ChunkRun {
    const chunk = this.find(address);
    if (chunk === undefined) throw this.#corrupt(`${what} is said to be at address ${address}, which no chunk holds`);
    const { profile, stripes, subStripes } = chunk;
    const inside = address - chunk.start;
    const parallel = parallelStripes(chunk);
    if (profile === 'RAID5' || profile === 'RAID6') throw this.#elsewhere(chunk, what);
    if (parallel === 1) {
      return { copies: this.#copies(chunk, what, { stripes, inside }), length: chunk.length - inside };
    }
    const unit = Math.floor(inside / stripeUnit);
    const rest = inside % stripeUnit;
    const width = profile === 'RAID10' ? subStripes : 1;
    const first = (unit % parallel) * width;
    const within = Math.floor(unit / parallel) * stripeUnit + rest;
    const copies = this.#copies(chunk, what, { stripes: stripes.slice(first, first + width), inside: within });
    return { copies, length: stripeUnit - rest };
  }

  /** The ranges of this device that a chunk takes, in bytes. */
  rangesOf(chunk: Chunk): { readonly offset: number; readonly length: number }[] {
    const length = chunk.length / parallelStripes(chunk);
    return chunk.stripes
      .filter(({ deviceId }) => deviceId === this.#options.deviceId)
      .map(({ offset }) => ({ offset, length }));
  }

  #copies(
    chunk: Chunk,
    what: string,
    { stripes, inside }: { readonly stripes: readonly Chunk['stripes'][number][]; readonly inside: number },
  ): number[] {
    const own = stripes.filter(({ deviceId }) => deviceId === this.#options.deviceId);
    if (own.length === 0) throw this.#elsewhere(chunk, what);
    return own.map(({ offset }) => offset + inside);
  }

  #checkStripes(chunk: Chunk): void {
    const { deviceSize } = this.#options;
    for (const { offset, length } of this.rangesOf(chunk)) {
      if (offset + length <= deviceSize) continue;
      throw this.#corrupt(`chunk ${chunk.start} lies at bytes ${offset} to ${offset + length} of ${deviceSize}`);
    }
  }

  #elsewhere({ start, profile, stripes }: Chunk, what: string): VarveError {
    const { name, deviceId } = this.#options;
    const devices = [...new Set(stripes.map((stripe) => stripe.deviceId))].sort((a, b) => a - b).join(', ');
    const where = `chunk ${start}, which is ${profile} over the devices ${devices}, and this is device ${deviceId}`;
    return new VarveError('UNSUPPORTED', `cannot read ${name}: ${what} is in ${where} alone`);
  }

  #corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#options.name}: ${why}`);
  }
}

import { VarveError } from '../../base/varve-error.ts';
import { type Chunk, parallelStripes, stripeUnit } from './chunk.ts';

/** A run of addresses that is in one piece wherever it is. */
export interface ChunkRun {
  /** Where its copies begin that are there, in bytes of the volume's device; at least one. */
  readonly copies: readonly number[];
  /** In bytes. */
  readonly length: number;
}

/** What a map is made for. */
export interface ChunkMapOptions {
  /** The disk's, in errors. */
  readonly name: string;
  /** The devices that are there, by their numbers; the first one is what is free told of. */
  readonly devices: ReadonlyMap<number, DevicePart>;
}

/** Where the bytes of one of a file system's devices are in the volume's device; both in bytes. */
export interface DevicePart {
  readonly start: number;
  readonly size: number;
}

/** Which addresses are where. */
export class ChunkMap {
  readonly #options: ChunkMapOptions;
  readonly #ownId: number | undefined;
  /** By where they begin. */
  #chunks: Chunk[] = [];
  #last: Chunk | undefined;

  constructor(options: ChunkMapOptions) {
    this.#options = options;
    [this.#ownId] = options.devices.keys();
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

  /** The ranges of the first device that a chunk takes, in bytes. */
  rangesOf(chunk: Chunk): { readonly offset: number; readonly length: number }[] {
    const length = chunk.length / parallelStripes(chunk);
    return chunk.stripes.filter(({ deviceId }) => deviceId === this.#ownId).map(({ offset }) => ({ offset, length }));
  }

  #copies(
    chunk: Chunk,
    what: string,
    { stripes, inside }: { readonly stripes: readonly Chunk['stripes'][number][]; readonly inside: number },
  ): number[] {
    const { devices } = this.#options;
    const copies = stripes.flatMap(({ deviceId, offset }) => {
      const part = devices.get(deviceId);
      return part === undefined ? [] : [part.start + offset + inside];
    });
    if (copies.length === 0) throw this.#elsewhere(chunk, what);
    return copies;
  }

  #checkStripes(chunk: Chunk): void {
    const length = chunk.length / parallelStripes(chunk);
    for (const { deviceId, offset } of chunk.stripes) {
      const size = this.#options.devices.get(deviceId)?.size;
      if (size === undefined || offset + length <= size) continue;
      throw this.#corrupt(`chunk ${chunk.start} lies at bytes ${offset} to ${offset + length} of ${size}`);
    }
  }

  #elsewhere({ start, profile, stripes }: Chunk, what: string): VarveError {
    const { name, devices: here } = this.#options;
    const listed = (ids: Iterable<number>) => [...new Set(ids)].sort((a, b) => a - b).join(', ');
    const all = listed(stripes.map(({ deviceId }) => deviceId));
    const those =
      here.size === 1 ? `this is device ${listed(here.keys())} alone` : `only ${listed(here.keys())} are here`;
    const where = `chunk ${start}, which is ${profile} over the devices ${all}, and ${those}`;
    return new VarveError('UNSUPPORTED', `cannot read ${name}: ${what} is in ${where}`);
  }

  #corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#options.name}: ${why}`);
  }
}

/*
 * Checksums of data are in a tree of their own, an item for a run of sectors, by the address of the first: the sums of one
 * sector after the other.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", EXTENT_CSUM.
 */
import type { Forest } from './forest.ts';
import { itemTypes, objectIds } from './key.ts';
import { bytesOf } from './little-endian.ts';
import type { Item, ItemTree } from './tree.ts';

/** In bytes: what is checked at once. */
const longestPart = 1 << 20;

/** What is read. */
export interface DataRequest {
  /** Where it begins, in bytes, as the chunks map it. */
  readonly address: number;
  /** False where nobody keeps checksums of it. */
  readonly isChecked: boolean;
  /** Names it in errors. */
  readonly what: string;
}

/** The sums of some sectors. */
interface SumRun {
  readonly start: number;
  readonly end: number;
  readonly sums: Uint8Array;
}

/** A part of what is read, in whole sectors. */
interface Span {
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly copies: readonly number[];
  readonly what: string;
}

/** Reads data by addresses, each sector from a copy that fits its checksum. */
export class DataReader {
  readonly #forest: Forest;
  #tree: Promise<ItemTree | undefined> | undefined;
  #lastRun: SumRun | undefined;

  constructor(forest: Forest) {
    this.#forest = forest;
  }

  /** Fills `target`. @throws VarveError `CORRUPT`; `UNSUPPORTED` where it is on other devices */
  async read(target: Uint8Array, { address, isChecked, what }: DataRequest): Promise<void> {
    const { volume } = this.#forest;
    for (let done = 0; done < target.length; ) {
      const { copies, length } = volume.chunks.locate(address + done, what);
      const part = target.subarray(done, done + Math.min(length, longestPart));
      if (isChecked) await this.#readChecked(part, { address: address + done, copies, what });
      else await volume.read(part, copies[0]!, what);
      done += part.length;
    }
  }

  async #readChecked(target: Uint8Array, { address, copies, what }: Omit<Span, 'bytes'>): Promise<void> {
    const { sectorSize } = this.#forest.volume.superblock;
    const inside = address % sectorSize;
    const length = Math.ceil((inside + target.length) / sectorSize) * sectorSize;
    const bytes = length === target.length ? target : new Uint8Array(length);
    await this.#readSpan({ bytes, address: address - inside, copies: copies.map((place) => place - inside), what });
    if (bytes !== target) target.set(bytes.subarray(inside, inside + target.length));
  }

  async #readSpan(span: Span): Promise<void> {
    const { volume } = this.#forest;
    const { sectorSize, checksums } = volume.superblock;
    const { bytes, address, copies, what } = span;
    await volume.read(bytes, copies[0]!, what);
    for await (const { start, end, sums } of this.#sums(address, address + bytes.length)) {
      for (let at = Math.max(start, address); at < Math.min(end, address + bytes.length); at += sectorSize) {
        const sector = bytes.subarray(at - address, at - address + sectorSize);
        const place = ((at - start) / sectorSize) * checksums.length;
        if (!checksums.fits(sector, sums, place)) await this.#mend(sector, span, { at, sums, place });
      }
    }
  }

  /** Reads a sector from another copy. */
  async #mend(
    sector: Uint8Array,
    { address, copies, what }: Span,
    { at, sums, place }: { readonly at: number; readonly sums: Uint8Array; readonly place: number },
  ): Promise<void> {
    const { volume } = this.#forest;
    for (const copy of copies.slice(1)) {
      await volume.read(sector, copy + at - address, what);
      if (volume.superblock.checksums.fits(sector, sums, place)) return;
    }
    throw volume.corrupt(`${what} does not fit its checksum at byte ${copies[0]! + at - address} of the disk`);
  }

  /** The sums of the sectors from `start` to `end`, as far as there are any. */
  async *#sums(start: number, end: number): AsyncGenerator<SumRun> {
    const last = this.#lastRun;
    if (last !== undefined && last.start <= start && last.end >= end) return yield last;
    this.#tree ??= this.#forest.tree(objectIds.checksumTree);
    const tree = await this.#tree;
    if (tree === undefined) return;
    const keyOf = (offset: number) => ({ objectid: objectIds.checksums, type: itemTypes.checksums, offset });
    const first = await tree.lastUpTo(keyOf(start));
    for await (const item of tree.items(
      first?.key.type === itemTypes.checksums ? first.key : keyOf(start),
      keyOf(end - 1),
    )) {
      this.#lastRun = this.#runOf(item);
      yield this.#lastRun;
    }
  }

  #runOf({ key, view }: Item): SumRun {
    const { sectorSize, checksums } = this.#forest.volume.superblock;
    const count = Math.floor(view.byteLength / checksums.length);
    if (key.offset % sectorSize !== 0)
      throw this.#forest.volume.corrupt(`there are checksums for address ${key.offset}`);
    return { start: key.offset, end: key.offset + count * sectorSize, sums: bytesOf(view) };
  }
}

import { VarveError } from '../../../base/varve-error.ts';

type Page = Uint8Array | Uint16Array | Uint32Array;

const pageLength = 4096;
/** In bytes: enough for 16 TiB in clusters of 64 KiB. */
const maximumMemory = 2 ** 28;

/** No count goes higher. */
export const maximumCount = 0xffff_ffff;

/**
 * A count for each cluster of a file, 0 at first. Pages of 4096 counts take memory once one of them is not 0, a byte a
 * count as long as all of a page are under 256, so that a sparse file costs what is in it.
 */
export class ClusterCounts {
  readonly #pages = new Map<number, Page>();
  #lastIndex = -1;
  #lastPage: Page | undefined;
  readonly #name: string;
  /** Of all pages, in bytes. */
  #memory = 0;

  /** `name` is the image's in errors. */
  constructor(name: string) {
    this.#name = name;
  }

  get(cluster: number): number {
    return this.#page(Math.floor(cluster / pageLength))?.[cluster % pageLength] ?? 0;
  }

  /**
   * Hot: called for every cluster of an image that is checked.
   *
   * @throws VarveError `UNSUPPORTED` where there are more than memory is to be taken for
   */
  set(cluster: number, count: number): void {
    const pageIndex = Math.floor(cluster / pageLength);
    const page = this.#page(pageIndex) ?? this.#keep(pageIndex, new Uint8Array(pageLength));
    const wide = count < 2 ** (8 * page.BYTES_PER_ELEMENT) ? page : this.#keep(pageIndex, widened(page, count));
    wide[cluster % pageLength] = count;
  }

  /** The clusters before `end` whose count is not 0, in order. */
  *nonZero(end: number): Generator<number, undefined> {
    for (const first of this.#pageStarts()) {
      const page = this.#page(first / pageLength)!;
      for (let index = 0; index < pageLength && first + index < end; index += 1) {
        if (page[index] !== 0) yield first + index;
      }
    }
  }

  /** The clusters before `end` whose counts here and in `other` are not the same, in order. */
  *differences(other: ClusterCounts, end: number): Generator<number, undefined> {
    const starts = new Set([...this.#pageStarts(), ...other.#pageStarts()]);
    for (const first of [...starts].sort((one, two) => one - two)) {
      const [page, otherPage] = [this.#page(first / pageLength), other.#page(first / pageLength)];
      for (let index = 0; index < pageLength && first + index < end; index += 1) {
        if ((page?.[index] ?? 0) !== (otherPage?.[index] ?? 0)) yield first + index;
      }
    }
  }

  /** The last cluster before `end` whose count is not 0; −1 where there is none. */
  last(end: number): number {
    for (const first of this.#pageStarts().reverse()) {
      const page = this.#page(first / pageLength)!;
      for (let index = Math.min(pageLength, end - first) - 1; index >= 0; index -= 1) {
        if (page[index] !== 0) return first + index;
      }
    }
    return -1;
  }

  #pageStarts(): number[] {
    return [...this.#pages.keys()].sort((one, two) => one - two).map((index) => index * pageLength);
  }

  #page(index: number): Page | undefined {
    if (index === this.#lastIndex) return this.#lastPage;
    this.#lastIndex = index;
    this.#lastPage = this.#pages.get(index);
    return this.#lastPage;
  }

  #keep(index: number, page: Page): Page {
    this.#memory += page.byteLength - (this.#pages.get(index)?.byteLength ?? 0);
    if (this.#memory > maximumMemory) {
      throw new VarveError(
        'UNSUPPORTED',
        `cannot check ${this.#name}: its clusters are too many to be counted in memory`,
      );
    }
    this.#pages.set(index, page);
    this.#lastIndex = index;
    this.#lastPage = page;
    return page;
  }
}

/** A copy of a page with room for `count`. */
function widened(page: Page, count: number): Page {
  return count < 65536 ? Uint16Array.from(page) : Uint32Array.from(page);
}

import { Bitmap } from '../bytes/bitmap.ts';
import { unsupportedImage } from './image-errors.ts';

/** 64 MiB of bits. */
const maximumPlaces = 2 ** 29;

/** Which of a file's clusters or blocks are taken, counted from its first. */
export class PlaceSet {
  readonly #bits: Bitmap;

  /** For `count` of them. @throws VarveError `UNSUPPORTED` for more than can be kept in mind */
  constructor(count: number, name: string) {
    if (count > maximumPlaces) throw unsupportedImage(name, `its ${count} clusters are too many to be checked here`);
    this.#bits = new Bitmap(count);
  }

  /** Takes one; false where it was taken already. */
  add(place: number): boolean {
    if (this.#bits.has(place)) return false;
    this.#bits.set(place);
    return true;
  }

  /** How many are free from `place` on. */
  countFree(place: number): number {
    const { size } = this.#bits;
    const start = Math.min(place, size);
    return size - start - this.#bits.count(start, size);
  }
}

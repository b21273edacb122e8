import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';
import type { SparseTarFile, TarPiece } from './tar-sparse.ts';

/** A member of an archive that was stored without its holes, as a file that can be read. The archive belongs to it. */
export class SparseMemberDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize = 512;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #archive: BlockDevice;
  readonly #pieces: readonly TarPiece[];

  constructor(archive: BlockDevice, { pieces, size }: SparseTarFile) {
    this.size = size;
    this.#archive = archive;
    this.#pieces = pieces;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return runSteps(this.#readPieces(target, offset));
  }

  write(): never {
    throw new TypeError('a member of an archive is only read');
  }

  zero(): never {
    throw new TypeError('a member of an archive is only read');
  }

  trim(): never {
    throw new TypeError('a member of an archive is only read');
  }

  flush(): void {}

  *extents(offset: number, length: number): Generator<Extent, undefined> {
    const end = offset + length;
    let position = offset;
    for (const piece of this.#piecesIn(offset, end)) {
      const [start, stop] = [Math.max(piece.offset, offset), Math.min(piece.offset + piece.length, end)];
      if (position < start) yield { offset: position, length: start - position, kind: 'hole' };
      yield { offset: start, length: stop - start, kind: 'data' };
      position = stop;
    }
    if (position < end) yield { offset: position, length: end - position, kind: 'hole' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
  }

  *#readPieces(target: Uint8Array, offset: number): Steps {
    const end = offset + target.length;
    let position = offset;
    for (const piece of this.#piecesIn(offset, end)) {
      const [start, stop] = [Math.max(piece.offset, offset), Math.min(piece.offset + piece.length, end)];
      target.fill(0, position - offset, start - offset);
      yield this.#archive.read(target.subarray(start - offset, stop - offset), piece.place + start - piece.offset);
      position = stop;
    }
    target.fill(0, position - offset);
  }

  /** The pieces that a range touches; the first one is found by halving. */
  *#piecesIn(offset: number, end: number): Generator<TarPiece, undefined> {
    let [low, high] = [0, this.#pieces.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { length, offset: start } = this.#pieces[middle]!;
      if (start + length > offset) high = middle;
      else low = middle + 1;
    }
    for (let index = low; index < this.#pieces.length && this.#pieces[index]!.offset < end; index += 1) {
      yield this.#pieces[index]!;
    }
  }
}

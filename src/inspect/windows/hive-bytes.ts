import { LruMap } from '../../base/lru.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { GuestFile } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';

const pieceLength = 1 << 16;
/** Those that were used last are kept: 16 MiB. */
const mostPieces = 256;

/** The bytes of a large file, read in pieces where they are wanted. */
export class HiveBytes {
  readonly #file: GuestFile;
  readonly #pieces = new LruMap<number, Uint8Array>(mostPieces);

  constructor(file: GuestFile) {
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  get size(): number {
    return this.#file.stat.size;
  }

  /** `length` bytes from `offset` on. @throws VarveError `CORRUPT` where they lie past the end */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.size) {
      throw new VarveError('CORRUPT', `${this.path}: ${length} bytes at byte ${offset} lie past the end`);
    }
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / pieceLength);
      const piece = await this.#piece(index);
      const start = offset + done - index * pieceLength;
      const part = piece.subarray(start, start + length - done);
      if (part.length === 0) throw new VarveError('CORRUPT', `${this.path} ends before byte ${offset + length}`);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  async #piece(index: number): Promise<Uint8Array> {
    const known = this.#pieces.get(index);
    if (known !== undefined) return known;
    const piece = await readPart(this.#file, index * pieceLength, pieceLength);
    this.#pieces.set(index, piece);
    return piece;
  }
}

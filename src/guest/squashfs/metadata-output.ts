import { constants, zstdCompressSync } from 'node:zlib';

/** How many bytes of metadata are packed together. */
const blockLength = 8192;
const isPlainBit = 0x8000;
// Linux unpacks with a window of a data block's length, and no longer one.
const params = { [constants.ZSTD_c_windowLog]: Math.log2(blockLength) };

/** A place in a table of metadata: where its block begins, packed, from the table's start, and where in it, unpacked. */
export interface MetadataPosition {
  readonly block: number;
  readonly offset: number;
}

/** A position as the 48 bits that stand for it elsewhere. */
export function referenceOf({ block, offset }: MetadataPosition): number {
  return block * 65_536 + offset;
}

/** A table of metadata, packed in memory. Source: as of src/filesystem/squashfs/volume.ts. */
export class MetadataOutput {
  readonly #blocks: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #buffer = new Uint8Array(blockLength);
  #used = 0;
  #length = 0;

  /** Where the next byte goes. */
  get position(): MetadataPosition {
    if (this.#used === blockLength) this.#pack();
    return { block: this.#length, offset: this.#used };
  }

  add(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === blockLength) this.#pack();
      const part = bytes.subarray(done, done + blockLength - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.length;
      done += part.length;
    }
  }

  /** Ends the table: its bytes, and where each block begins in them. */
  end(): { readonly bytes: Uint8Array; readonly starts: readonly number[] } {
    if (this.#used > 0) this.#pack();
    return { bytes: Buffer.concat(this.#blocks), starts: this.#starts };
  }

  #pack(): void {
    const plain = this.#buffer.subarray(0, this.#used);
    const packed = zstdCompressSync(plain, { params });
    const isPlain = packed.length >= plain.length;
    const stored = new Uint8Array(2 + (isPlain ? plain : packed).length);
    new DataView(stored.buffer).setUint16(0, (stored.length - 2) | (isPlain ? isPlainBit : 0), true);
    stored.set(isPlain ? plain : packed, 2);
    this.#starts.push(this.#length);
    this.#blocks.push(stored);
    this.#length += stored.length;
    this.#used = 0;
  }
}

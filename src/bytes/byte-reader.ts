import { VarveError } from '../base/varve-error.ts';

/**
 * A bounds-checked cursor over bytes that somebody else wrote. Every read past the end, and every length or offset
 * over 2^53−1, throws `CORRUPT` naming what is being read; nothing is copied.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #position = 0;

  /** `what` names the structure in errors: `qcow2 header`. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  /** Moves to `position`, bytes from the start. */
  seek(position: number): void {
    if (position < 0 || position > this.#bytes.length) this.#truncated(position - this.#position);
    this.#position = position;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The next `length` bytes, a view into the source. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The next `length` bytes as UTF-8; what is not UTF-8 is `CORRUPT`. */
  utf8(length: number): string {
    const start = this.#position;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes(length));
    } catch (cause) {
      if (cause instanceof VarveError) throw cause;
      throw new VarveError('CORRUPT', `${this.#what}: text at byte ${start} is not UTF-8`, { cause });
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16be(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u16le(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u32le(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A 64-bit size, offset or count: at most 2^53−1, else `CORRUPT`, which names the `field`. */
  u64be(field = 'number'): number {
    const start = this.#take(8);
    return this.#safe(this.#view.getUint32(start), this.#view.getUint32(start + 4), start, field);
  }

  /** Like `u64be`, little-endian. */
  u64le(field = 'number'): number {
    const start = this.#take(8);
    return this.#safe(this.#view.getUint32(start + 4, true), this.#view.getUint32(start, true), start, field);
  }

  /** An opaque 64-bit field: flags, a cookie, a magic. */
  opaque64be(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** Like `opaque64be`, little-endian. */
  opaque64le(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  #safe(high: number, low: number, start: number, field: string): number {
    const value = high * 0x1_0000_0000 + low;
    if (Number.isSafeInteger(value)) return value;
    throw new VarveError('CORRUPT', `${this.#what}: the ${field} at byte ${start} is over 2^53`);
  }

  #take(length: number): number {
    if (!(length >= 0 && length <= this.remaining)) this.#truncated(length);
    const start = this.#position;
    this.#position += length;
    return start;
  }

  #truncated(length: number): never {
    const { length: size } = this.#bytes;
    throw new VarveError(
      'CORRUPT',
      `${this.#what}: ${length} bytes wanted at byte ${this.#position}, and there are ${size} in all`,
    );
  }
}

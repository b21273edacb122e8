/** A cursor that fills a buffer of known size, in the words of `ByteReader`. Writing past the end is a bug: `RangeError`. */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  /** Writes into `target`, or into a new zeroed buffer of `target` bytes. */
  constructor(target: Uint8Array | number) {
    this.bytes = typeof target === 'number' ? new Uint8Array(target) : target;
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  seek(position: number): void {
    if (!(position >= 0 && position <= this.bytes.length)) throw new RangeError(`seek to ${position} is outside`);
    this.#position = position;
  }

  /** Leaves `length` bytes as they are. */
  skip(length: number): void {
    this.seek(this.#position + length);
  }

  put(source: Uint8Array): void {
    this.bytes.set(source, this.#position);
    this.#position += source.length;
  }

  utf8(text: string): void {
    this.put(new TextEncoder().encode(text));
  }

  u8(value: number): void {
    this.#view.setUint8(this.#advance(1), value);
  }

  u16be(value: number): void {
    this.#view.setUint16(this.#advance(2), value);
  }

  u16le(value: number): void {
    this.#view.setUint16(this.#advance(2), value, true);
  }

  u32be(value: number): void {
    this.#view.setUint32(this.#advance(4), value);
  }

  u32le(value: number): void {
    this.#view.setUint32(this.#advance(4), value, true);
  }

  /** A size, offset or count, at most 2^53−1. */
  u64be(value: number): void {
    const start = this.#advance(8);
    this.#view.setUint32(start, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(start + 4, value % 0x1_0000_0000);
  }

  u64le(value: number): void {
    const start = this.#advance(8);
    this.#view.setUint32(start, value % 0x1_0000_0000, true);
    this.#view.setUint32(start + 4, Math.floor(value / 0x1_0000_0000), true);
  }

  /** An opaque 64-bit field. */
  opaque64be(value: bigint): void {
    this.#view.setBigUint64(this.#advance(8), value);
  }

  opaque64le(value: bigint): void {
    this.#view.setBigUint64(this.#advance(8), value, true);
  }

  #advance(length: number): number {
    const start = this.#position;
    this.#position += length;
    return start;
  }
}

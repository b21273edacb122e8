import { ByteWriter } from '../../bytes/byte-writer.ts';

/** Writes XDR, in the words of `XdrReader`. */
export class XdrWriter extends ByteWriter {
  bool(value: boolean): void {
    this.u32be(value ? 1 : 0);
  }

  /** `opaque[n]`. */
  fixed(bytes: Uint8Array): void {
    this.put(bytes);
    this.pad(bytes.length);
  }

  /** `opaque<n>` and `string<n>`. */
  opaque(bytes: Uint8Array): void {
    this.u32be(bytes.length);
    this.fixed(bytes);
  }

  /** The zeros that follow after `length` bytes. */
  pad(length: number): void {
    for (let rest = -length & 3; rest > 0; rest -= 1) this.u8(0);
  }
}

/** How long `opaque<n>` with `length` bytes is, in bytes. */
export function opaqueLength(length: number): number {
  return 4 + length + (-length & 3);
}

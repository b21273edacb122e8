/*
 * XDR: everything is a multiple of four bytes, most significant byte first.
 *
 *   int, unsigned int, enum, bool   4 bytes          hyper, unsigned hyper   8 bytes
 *   opaque[n]     n bytes, and zeros up to a multiple of 4
 *   opaque<n>, string<n>    4 bytes of length, and as opaque[length]
 *   T<n>          4 bytes of count, and each of them        T*   a bool, and T where it is true
 *
 * Source: RFC 4506, section 4.
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';

/** Reads XDR that somebody else wrote; what is too short, or longer than may be, is `CORRUPT`. */
export class XdrReader extends ByteReader {
  readonly #what: string;

  /** `what` names the structure in errors. */
  constructor(bytes: Uint8Array, what: string) {
    super(bytes, what);
    this.#what = what;
  }

  bool(): boolean {
    const value = this.u32be();
    if (value > 1) throw new VarveError('CORRUPT', `${this.#what}: ${value} is neither true nor false`);
    return value === 1;
  }

  /** `opaque[length]`, a view into the source. */
  fixed(length: number): Uint8Array {
    const bytes = this.bytes(length);
    this.skip(-length & 3);
    return bytes;
  }

  /** `opaque<limit>` and `string<limit>`, a view into the source. */
  opaque(limit: number): Uint8Array {
    const length = this.u32be();
    if (length > limit) throw new VarveError('CORRUPT', `${this.#what}: ${length} bytes where at most ${limit} may be`);
    return this.fixed(length);
  }
}

/** A 64-bit number that changes in place, as its upper and lower halves: quicker than a `bigint` by an order of magnitude. */
export class Word64 {
  high = 0;
  low = 0;

  constructor(value = 0n) {
    this.high = Number(BigInt.asIntN(32, value >> 32n));
    this.low = Number(BigInt.asIntN(32, value));
  }

  set(high: number, low: number): void {
    this.high = high | 0;
    this.low = low | 0;
  }

  add(high: number, low: number): void {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    this.low = sum | 0;
  }

  xor(high: number, low: number): void {
    this.high ^= high;
    this.low ^= low;
  }

  /** To the left, by 1 to 31 bits. */
  rotate(bits: number): void {
    const { high, low } = this;
    this.high = (high << bits) | (low >>> (32 - bits));
    this.low = (low << bits) | (high >>> (32 - bits));
  }

  /** Takes the number shifted to the right by 1 to 63 bits for the other side of an exclusive or. */
  xorShifted(bits: number): void {
    const { high, low } = this;
    if (bits >= 32) {
      this.low ^= high >>> (bits - 32);
      return;
    }
    this.high ^= high >>> bits;
    this.low ^= (low >>> bits) | (high << (32 - bits));
  }

  /** Keeps the lower 64 bits of the product. */
  multiply({ high: otherHigh, low: otherLow }: Word64): void {
    const { high, low } = this;
    const [upper, lower] = [low >>> 16, low & 0xffff];
    const [otherUpper, otherLower] = [otherLow >>> 16, otherLow & 0xffff];
    const bottom = lower * otherLower;
    const middle = upper * otherLower + (bottom >>> 16);
    const cross = lower * otherUpper + (middle & 0xffff);
    const top = upper * otherUpper + (middle - (middle & 0xffff)) / 65_536 + (cross >>> 16);
    this.high = (top + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) | 0;
    this.low = (cross << 16) | (bottom & 0xffff);
  }
}

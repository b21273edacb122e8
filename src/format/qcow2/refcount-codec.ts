/*
 * Refcounts of 1 to 64 bits in a block: wider than a byte big-endian, narrower ones from the least significant bit on.
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Host cluster management".
 */

/** Reads and writes refcounts of one width; `index` counts refcounts from the start of the block. */
export interface RefcountCodec {
  /** How many bits a refcount has. */
  readonly bits: number;
  /** The highest refcount, at most 2^53−1. */
  readonly maximum: number;
  get(block: DataView, index: number): number;
  set(block: DataView, index: number, refcount: number): void;
}

const twoTo32 = 0x1_0000_0000;

/** The codec for refcounts of `2 ** order` bits; the order is 0 to 6. */
export function refcountCodec(order: number): RefcountCodec {
  return order < 3 ? narrowCodec(order) : wideCodecs[order - 3]!;
}

const wideCodecs: readonly RefcountCodec[] = [
  {
    bits: 8,
    maximum: 0xff,
    get: (block, index) => block.getUint8(index),
    set: (block, index, refcount) => block.setUint8(index, refcount),
  },
  {
    bits: 16,
    maximum: 0xffff,
    get: (block, index) => block.getUint16(index * 2),
    set: (block, index, refcount) => block.setUint16(index * 2, refcount),
  },
  {
    bits: 32,
    maximum: 0xffff_ffff,
    get: (block, index) => block.getUint32(index * 4),
    set: (block, index, refcount) => block.setUint32(index * 4, refcount),
  },
  {
    bits: 64,
    maximum: Number.MAX_SAFE_INTEGER,
    get: (block, index) => block.getUint32(index * 8) * twoTo32 + block.getUint32(index * 8 + 4),
    set(block, index, refcount) {
      block.setUint32(index * 8, Math.floor(refcount / twoTo32));
      block.setUint32(index * 8 + 4, refcount % twoTo32);
    },
  },
];

function narrowCodec(order: number): RefcountCodec {
  const bits = 2 ** order;
  const maximum = 2 ** bits - 1;
  const perByte = 8 / bits;
  return {
    bits,
    maximum,
    get: (block, index) => (block.getUint8(Math.floor(index / perByte)) >>> ((index % perByte) * bits)) & maximum,
    set(block, index, refcount) {
      const position = Math.floor(index / perByte);
      const shift = (index % perByte) * bits;
      block.setUint8(position, (block.getUint8(position) & ~(maximum << shift)) | (refcount << shift));
    },
  };
}

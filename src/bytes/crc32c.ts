/** The Castagnoli polynomial, its bits reversed. Source: RFC 3720, section 12.1 and appendix B.4. */
const polynomial = 0x82f6_3b78;
/**
 * How many bytes are taken at once. Source: Kounavis and Berry, "A Systematic Approach to Building High Performance
 * Software-Based CRC Generators", section 4.
 */
const sliceCount = 4;

let tables: readonly Uint32Array[] | undefined;

/**
 * The CRC-32C of `bytes`, as iSCSI, Btrfs, ext4 and VHDX have it, unsigned. Pieces are chained: what was found so far
 * goes in as `before`.
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  tables ??= makeTables();
  const [table0, table1, table2, table3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const { length } = bytes;
  const slicedEnd = length - (length % sliceCount);
  let rest = ~before;
  let position = 0;
  for (; position < slicedEnd; position += sliceCount) {
    rest ^=
      bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16) | (bytes[position + 3]! << 24);
    rest = table3[rest & 0xff]! ^ table2[(rest >>> 8) & 0xff]! ^ table1[(rest >>> 16) & 0xff]! ^ table0[rest >>> 24]!;
  }
  for (; position < length; position += 1) rest = (rest >>> 8) ^ table0[(rest ^ bytes[position]!) & 0xff]!;
  return ~rest >>> 0;
}

/** For each number of zero bytes that follow, from 0 on, what a byte does to the remainder. */
function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? polynomial : 0);
    return rest;
  });
  const made = [first];
  while (made.length < sliceCount) made.push(made.at(-1)!.map((rest) => (rest >>> 8) ^ first[rest & 0xff]!));
  return made;
}

import { MetadataOutput } from './metadata-output.ts';

/**
 * A table of records as it stands from byte `start` on: packed, and behind that where each block begins.
 *
 * @returns its bytes, and where that list is, which the superblock names
 */
export function lookupTable(
  records: Iterable<Uint8Array>,
  start: number,
): { readonly bytes: Uint8Array; readonly list: number } {
  const table = new MetadataOutput();
  for (const record of records) table.add(record);
  const { bytes, starts } = table.end();
  const list = Buffer.alloc(8 * starts.length);
  starts.forEach((each, index) => void list.writeBigUInt64LE(BigInt(start + each), 8 * index));
  return { bytes: Buffer.concat([bytes, list]), list: start + bytes.length };
}

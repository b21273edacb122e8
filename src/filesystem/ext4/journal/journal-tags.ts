/*
 * The tags of a descriptor block say where the blocks that follow it belong; big-endian.
 *
 *   checksums v3    0  t_blocknr    4  t_flags              8  t_blocknr_high    12  t_checksum
 *   others          0  t_blocknr    4  t_checksum (16 bit)  6  t_flags (16 bit)   8  t_blocknr_high, with 64 bit
 *                   and two more bytes with checksums v2
 *
 * each followed by 16 bytes of a UUID unless flag 2 is set. Flags: 1 the block began like a journal's own and its first
 * four bytes are zeros here, 8 the last tag. A revoke block holds, after its header, how many bytes it uses, and then
 * numbers of blocks of 4 or 8 bytes. Both end with a checksum of 4 bytes where there are checksums.
 *
 * Source: Linux, Documentation/filesystems/ext4/journal.rst, "Descriptor Block" and "Revocation Block".
 */
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { journalFeatures } from './journal-superblock.ts';

const flags = { escaped: 1, sameUuid: 2, last: 8 } as const;
const headerLength = 12;

/** Where one block of a transaction belongs. */
export interface JournalTag {
  readonly block: number;
  readonly isEscaped: boolean;
}

/** The tags in a descriptor block, as far as it reaches. */
export function decodeTags(block: Uint8Array, incompat: number): JournalTag[] {
  const hasChecksums = (incompat & (journalFeatures.checksums2 | journalFeatures.checksums3)) !== 0;
  const isVersion3 = (incompat & journalFeatures.checksums3) !== 0;
  const isWide = (incompat & journalFeatures.wide) !== 0;
  const reader = new ByteReader(hasChecksums ? block.subarray(0, -4) : block, 'journal descriptor');
  const isVersion2 = !isVersion3 && hasChecksums;
  const length = isVersion3 ? 16 : (isWide ? 12 : 8) + (isVersion2 ? 2 : 0);
  const tags: JournalTag[] = [];
  reader.skip(headerLength);
  while (reader.remaining >= length) {
    const low = reader.u32be();
    const tagFlags = isVersion3 ? reader.u32be() : reader.u32be() & 0xffff;
    const high = isVersion3 || isWide ? reader.u32be() : 0;
    reader.skip(isVersion3 ? 4 : isVersion2 ? 2 : 0);
    tags.push({ block: low + (isWide ? high : 0) * 2 ** 32, isEscaped: (tagFlags & flags.escaped) !== 0 });
    if ((tagFlags & flags.sameUuid) === 0) reader.skip(Math.min(16, reader.remaining));
    if ((tagFlags & flags.last) !== 0) break;
  }
  return tags;
}

/** The blocks that a revoke block names: what older transactions hold of them does not count. */
export function decodeRevoked(block: Uint8Array, incompat: number): number[] {
  const reader = new ByteReader(block, 'journal revoke block');
  reader.skip(headerLength);
  const used = Math.min(reader.u32be(), block.length);
  const isWide = (incompat & journalFeatures.wide) !== 0;
  const blocks: number[] = [];
  while (reader.position + (isWide ? 8 : 4) <= used) {
    const high = isWide ? reader.u32be() : 0;
    blocks.push(high * 2 ** 32 + reader.u32be());
  }
  return blocks;
}

/*
 * The journal of ext3 and ext4 (jbd2), big-endian. Every block of its own begins with
 *
 *   byte  0  h_magic, c03b3998
 *         4  h_blocktype: 1 descriptor, 2 commit, 3 and 4 superblock, 5 revoke
 *         8  h_sequence
 *
 * and the superblock goes on with
 *
 *        12  s_blocksize                  36  s_feature_compat
 *        16  s_maxlen, blocks             40  s_feature_incompat: 1 revoke, 2 64 bit, 4 async commit,
 *        20  s_first                            8 checksums v2, 10 checksums v3, 20 fast commit
 *        24  s_sequence                   48  s_uuid
 *        28  s_start, 0 for empty         84  s_num_fc_blks
 *
 * Source: Linux, Documentation/filesystems/ext4/journal.rst.
 */
import { ByteReader } from '../../../bytes/byte-reader.ts';

const journalMagic = 0xc03b_3998;

/** What h_blocktype says. */
export const journalBlocks = { descriptor: 1, commit: 2, superblock1: 3, superblock2: 4, revoke: 5 } as const;
/** Bits of s_feature_incompat that change how blocks are laid out. */
export const journalFeatures = { wide: 2, checksums2: 8, checksums3: 16, fastCommit: 32 } as const;

/** How many blocks fast commits have where s_num_fc_blks is 0, and how many are left for whole ones at least. */
const usualFastCommitBlocks = 256;
const leastBlocks = 1024;

/** The journal's superblock. */
export interface JournalSuperblock {
  readonly blockSize: number;
  /** In blocks, as are the next three. */
  readonly length: number;
  /** Where the ring of whole transactions ends; behind the next block are fast commits. */
  readonly end: number;
  readonly first: number;
  /** Where the oldest transaction begins that may not be in its place; 0 for none. */
  readonly start: number;
  /** The number of that transaction. */
  readonly sequence: number;
  readonly incompat: number;
}

/** The header of a block of the journal's own, or undefined for any other block. */
export function journalHeader(block: Uint8Array): { readonly type: number; readonly sequence: number } | undefined {
  const reader = new ByteReader(block, 'journal block');
  if (reader.u32be() !== journalMagic) return undefined;
  return { type: reader.u32be(), sequence: reader.u32be() };
}

/** Takes the superblock apart; undefined where it is none. */
export function decodeJournalSuperblock(block: Uint8Array): JournalSuperblock | undefined {
  const type = journalHeader(block)?.type;
  if (type !== journalBlocks.superblock1 && type !== journalBlocks.superblock2) return undefined;
  const reader = new ByteReader(block, 'journal superblock');
  reader.seek(12);
  const [blockSize, length, first, sequence, start] = Array.from({ length: 5 }, () => reader.u32be());
  reader.seek(40);
  const incompat = type === journalBlocks.superblock2 ? reader.u32be() : 0;
  reader.seek(84);
  const end = length! - (type === journalBlocks.superblock2 ? fastCommitBlocks(length!, incompat, reader.u32be()) : 0);
  return { blockSize: blockSize!, length: length!, end, first: first!, sequence: sequence!, start: start!, incompat };
}

function fastCommitBlocks(length: number, incompat: number, stored: number): number {
  if ((incompat & journalFeatures.fastCommit) === 0) return 0;
  const count = stored === 0 ? usualFastCommitBlocks : stored;
  return length - count >= leastBlocks ? count : 0;
}

import type { VarveError } from '../../../base/varve-error.ts';
import { FastCommitReader, type FastCommitTag } from './fast-commit-tags.ts';
import {
  decodeJournalSuperblock,
  type JournalSuperblock,
  journalBlocks,
  journalFeatures,
  journalHeader,
} from './journal-superblock.ts';
import { decodeRevoked, decodeTags } from './journal-tags.ts';

/** What a journal is read from. */
export interface JournalSource {
  readonly blockSize: number;
  /** Reads block `index` of the journal; the caller may keep it. */
  read(index: number): Promise<Uint8Array>;
  /** Makes the error for what is wrong. */
  corrupt(why: string): VarveError;
  unsupported(why: string): VarveError;
}

/** A block as the journal has it. */
interface JournaledBlock {
  readonly index: number;
  readonly isEscaped: boolean;
  readonly sequence: number;
}

/** What a journal holds. */
export interface ReplayedJournal {
  /** By their numbers on the disk; they are whoever's calls. */
  readonly blocks: Map<number, Uint8Array>;
  /** What has happened after the last whole transaction, in that order. */
  readonly tags: readonly FastCommitTag[];
}

const knownFeatures = 0x3f;
/** No journal of Linux holds more; in blocks. */
const mostBlocks = 10_240_000;

/**
 * Which blocks of the disk are to be taken from the journal: what transactions that were committed hold of them, the
 * newest of each, unless it was revoked. The journal's own checksums are not needed for it: a transaction without its
 * commit block, and all after it, never happened. And what fast commits say that came after.
 *
 * Source: Linux, Documentation/filesystems/ext4/journal.rst.
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function replayJournal(source: JournalSource): Promise<ReplayedJournal> {
  const journal = decodeJournalSuperblock(await source.read(0));
  if (journal === undefined) throw source.corrupt('its journal has no superblock');
  checkJournal(journal, source);
  const blocks = new Map<number, JournaledBlock>();
  const next = journal.start === 0 ? undefined : await scan(source, journal, blocks);
  const contents = new Map<number, Uint8Array>();
  for (const [block, { index, isEscaped }] of blocks) {
    const bytes = await source.read(index);
    if (isEscaped) bytes.set([0xc0, 0x3b, 0x39, 0x98]);
    contents.set(block, bytes);
  }
  return { blocks: contents, tags: next === undefined ? [] : await fastCommits(source, journal, next) };
}

/** `transaction` is the number of the one that did not come about. */
async function fastCommits(
  source: JournalSource,
  { end, incompat, length }: JournalSuperblock,
  transaction: number,
): Promise<readonly FastCommitTag[]> {
  if ((incompat & journalFeatures.fastCommit) === 0) return [];
  const reader = new FastCommitReader(transaction);
  for (let index = end + 1; index < length; index++) if (!reader.take(await source.read(index))) break;
  return reader.tags;
}

function checkJournal(
  { blockSize, length, end, first, start, incompat }: JournalSuperblock,
  source: JournalSource,
): void {
  if (blockSize !== source.blockSize) throw source.corrupt(`its journal has blocks of ${blockSize} bytes`);
  if ((incompat & ~knownFeatures) !== 0) {
    throw source.unsupported(`its journal has features (0x${incompat.toString(16)}) that are not known here`);
  }
  if (length > mostBlocks || first < 1 || first >= end || start >= end) {
    throw source.corrupt(`its journal has ${length} blocks from ${first} on, and starts at ${start}`);
  }
}

/** The number of the transaction that would come next. */
async function scan(
  source: JournalSource,
  journal: JournalSuperblock,
  blocks: Map<number, JournaledBlock>,
): Promise<number> {
  const revoked = new Map<number, number>();
  let { start: index, sequence } = journal;
  let pending: [number, JournaledBlock][] = [];
  let pendingRevoked: number[] = [];
  // A journal is a ring: after as many steps as it has blocks it was read once.
  for (let steps = 0; steps < journal.length; steps++) {
    const bytes = await source.read(index);
    const header = journalHeader(bytes);
    if (header === undefined || header.sequence !== sequence) break;
    index = following(index, 1, journal);
    if (header.type === journalBlocks.descriptor) {
      for (const { block, isEscaped } of decodeTags(bytes, journal.incompat)) {
        pending.push([block, { index, isEscaped, sequence }]);
        index = following(index, 1, journal);
        if (++steps > journal.length) throw source.corrupt('its journal names more blocks than it has');
      }
    } else if (header.type === journalBlocks.revoke) pendingRevoked.push(...decodeRevoked(bytes, journal.incompat));
    else if (header.type === journalBlocks.commit) {
      for (const block of pendingRevoked) revoked.set(block, sequence);
      for (const [block, entry] of pending) blocks.set(block, entry);
      pending = [];
      pendingRevoked = [];
      sequence = (sequence + 1) >>> 0;
    } else break;
  }
  // What was revoked in a transaction is void in it and in those before.
  for (const [block, until] of revoked) {
    const entry = blocks.get(block);
    if (entry !== undefined && entry.sequence <= until) blocks.delete(block);
  }
  return sequence;
}

function following(index: number, count: number, { end, first }: JournalSuperblock): number {
  return index + count < end ? index + count : first + (index + count - end);
}

import type { VarveError } from '../../../base/varve-error.ts';
import { decodeJournalSuperblock, type JournalSuperblock, journalBlocks, journalHeader } from './journal-superblock.ts';
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

const knownFeatures = 0x3f;
/** No journal of Linux holds more; in blocks. */
const mostBlocks = 10_240_000;

/**
 * Which blocks of the disk are to be taken from the journal: what transactions that were committed hold of them, the
 * newest of each, unless it was revoked. The journal's own checksums are not needed for it: a transaction without its
 * commit block, and all after it, never happened. What stands in the area for fast commits is left out: the files are as
 * they were at the last whole commit.
 *
 * Source: Linux, Documentation/filesystems/ext4/journal.rst.
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function replayJournal(source: JournalSource): Promise<Map<number, Uint8Array>> {
  const journal = decodeJournalSuperblock(await source.read(0));
  if (journal === undefined) throw source.corrupt('its journal has no superblock');
  checkJournal(journal, source);
  const blocks = new Map<number, JournaledBlock>();
  if (journal.start !== 0) await scan(source, journal, blocks);
  const contents = new Map<number, Uint8Array>();
  for (const [block, { index, isEscaped }] of blocks) {
    const bytes = await source.read(index);
    if (isEscaped) bytes.set([0xc0, 0x3b, 0x39, 0x98]);
    contents.set(block, bytes);
  }
  return contents;
}

function checkJournal({ blockSize, length, first, start, incompat }: JournalSuperblock, source: JournalSource): void {
  if (blockSize !== source.blockSize) throw source.corrupt(`its journal has blocks of ${blockSize} bytes`);
  if ((incompat & ~knownFeatures) !== 0) {
    throw source.unsupported(`its journal has features (0x${incompat.toString(16)}) that are not known here`);
  }
  if (length > mostBlocks || first < 1 || first >= length || start >= length) {
    throw source.corrupt(`its journal has ${length} blocks from ${first} on, and starts at ${start}`);
  }
}

async function scan(
  source: JournalSource,
  journal: JournalSuperblock,
  blocks: Map<number, JournaledBlock>,
): Promise<void> {
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
}

function following(index: number, count: number, { first, length }: JournalSuperblock): number {
  return index + count < length ? index + count : first + (index + count - length);
}

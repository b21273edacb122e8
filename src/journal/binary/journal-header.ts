/*
 * A file of systemd's journal begins with:
 *
 *   byte   0  LPKSHHRH
 *          8  compatible features (32 bit)
 *         12  incompatible features (32 bit): 1 xz, 2 LZ4, 4 keyed hashes, 8 zstd, 16 compact
 *         16  state: 0 offline, 1 online, 2 archived
 *         24  the file's id; 40 the machine's; 56 the boot's of the last entry; 72 of its numbers (16 bytes each)
 *         88  length of this header; 96 of what follows (64 bit)
 *        176  the offset of the first entry array (64 bit); 0 for none
 *
 * Source: Journal File Format, systemd.io/JOURNAL_FILE_FORMAT, "Header".
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';

/** How much of a file has all that is read of its header, in bytes: what the first version of the format had. */
export const journalHeaderLength = 208;

const signature = 'LPKSHHRH';
const compactFeature = 16;
const knownFeatures = 31;

/** What is read of a file's header; offsets are in bytes. */
export interface JournalHeader {
  readonly isCompact: boolean;
  /** Of the numbers of its entries: files of one id count on. In 32 hexadecimal digits. */
  readonly sequenceId: string;
  /** 0 for none. */
  readonly entryArrayOffset: number;
}

/** @throws VarveError `CORRUPT`, `UNSUPPORTED` for features that are not known; `name` is the file's */
export function decodeJournalHeader(bytes: Uint8Array, name: string): JournalHeader {
  const reader = new ByteReader(bytes, `the journal file ${name}`);
  if (reader.utf8(8) !== signature) throw new VarveError('CORRUPT', `${name} is no file of systemd’s journal`);
  reader.seek(12);
  const features = reader.u32le();
  if ((features & ~knownFeatures) !== 0) {
    const unknown = (features & ~knownFeatures) >>> 0;
    throw new VarveError(
      'UNSUPPORTED',
      `cannot read the journal file ${name}: unknown features 0x${unknown.toString(16)}`,
    );
  }
  reader.seek(72);
  const sequenceId = Buffer.from(reader.bytes(16)).toString('hex');
  reader.seek(176);
  return {
    isCompact: (features & compactFeature) !== 0,
    sequenceId,
    entryArrayOffset: reader.u64le('offset of the entries'),
  };
}

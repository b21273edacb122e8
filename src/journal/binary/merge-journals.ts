import type { LogEntry } from '../log-entry.ts';
import type { JournalFile } from './journal-file.ts';

/** The entries of several files in one row, as journalctl(1) has them; from the last one on where `isReverse`. */
export async function* mergeJournals(files: readonly JournalFile[], isReverse: boolean): AsyncGenerator<LogEntry> {
  const sign = isReverse ? -1 : 1;
  const heads: { readonly file: FileRow; entry: LogEntry }[] = [];
  for (const file of files) {
    const row = new FileRow(file, isReverse);
    const entry = await row.next();
    if (entry !== undefined) heads.push({ file: row, entry });
  }
  let last: LogEntry | undefined;
  while (heads.length > 0) {
    const first = heads.reduce((best, head) => (compareEntries(head.entry, best.entry) * sign < 0 ? head : best));
    // The same entry may be in two files, such as one that was copied.
    if (last === undefined || !isSameEntry(first.entry, last)) yield first.entry;
    last = first.entry;
    const next = await first.file.next();
    if (next === undefined) heads.splice(heads.indexOf(first), 1);
    else first.entry = next;
  }
}

class FileRow {
  readonly #file: JournalFile;
  readonly #isReverse: boolean;
  #done = 0;

  constructor(file: JournalFile, isReverse: boolean) {
    this.#file = file;
    this.#isReverse = isReverse;
  }

  async next(): Promise<LogEntry | undefined> {
    while (this.#done < this.#file.entryCount) {
      const index = this.#isReverse ? this.#file.entryCount - 1 - this.#done : this.#done;
      this.#done += 1;
      const entry = await this.#file.entry(index);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }
}

/** By number where the same journal counted, by the time since boot where it is the same boot, else by the clock. */
function compareEntries(a: LogEntry, b: LogEntry): number {
  const [one, other] = [a.place!, b.place!];
  if (one.sequenceId === other.sequenceId && one.sequence !== other.sequence) return one.sequence - other.sequence;
  if (one.bootId === other.bootId && one.monotonic !== other.monotonic) return one.monotonic - other.monotonic;
  if (a.realtime !== b.realtime) return a.realtime - b.realtime;
  return one.xorHash < other.xorHash ? -1 : Number(one.xorHash > other.xorHash);
}

function isSameEntry(a: LogEntry, b: LogEntry): boolean {
  const [one, other] = [a.place!, b.place!];
  return (
    a.realtime === b.realtime &&
    one.bootId === other.bootId &&
    one.monotonic === other.monotonic &&
    one.xorHash === other.xorHash &&
    one.sequence === other.sequence &&
    one.sequenceId === other.sequenceId
  );
}

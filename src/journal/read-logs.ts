import type { GuestTree } from '../guest/guest-tree.ts';
import type { JournalFile, OnDamage } from './binary/journal-file.ts';
import { mergeJournals } from './binary/merge-journals.ts';
import { openJournals } from './binary/open-journals.ts';
import type { LogEntry } from './log-entry.ts';
import { readTextLogs } from './text/read-text-logs.ts';

/** Which logs are read: systemd’s journal, or the text files that syslog writes. */
export type LogSource = 'journal' | 'syslog';

/** The logs of a guest. */
export interface GuestLogs {
  readonly source: LogSource;
  /** In the order of time, from the last one on where `isReverse`. */
  entries(isReverse: boolean): AsyncIterable<LogEntry>;
}

/**
 * Opens the logs of a guest: its journal, or where it has none, the text files. `onDamage` hears of what cannot be read.
 *
 * @throws VarveError `CORRUPT` where the file system is damaged
 */
export async function openLogs(
  tree: GuestTree,
  { source, onDamage }: { readonly source?: LogSource | undefined; readonly onDamage: OnDamage },
): Promise<GuestLogs> {
  const files = source === 'syslog' ? [] : await openJournals(tree, onDamage);
  if (source === 'journal' || files.some(({ entryCount }) => entryCount > 0)) return journalOf(files);
  const lines = await readTextLogs(tree, onDamage);
  return {
    source: 'syslog',
    async *entries(isReverse) {
      yield* isReverse ? lines.toReversed() : lines;
    },
  };
}

function journalOf(files: readonly JournalFile[]): GuestLogs {
  return { source: 'journal', entries: (isReverse) => mergeJournals(files, isReverse) };
}

/** A time that a system ran, from one boot to the next; in microseconds since 1970. */
export interface Boot {
  readonly id: string;
  readonly first: number;
  readonly last: number;
}

/** The boots of which entries tell, the earliest first. */
export async function bootsOf(logs: GuestLogs): Promise<Boot[]> {
  const boots = new Map<string, Boot>();
  for await (const { place, realtime } of logs.entries(false)) {
    if (place === undefined) continue;
    const known = boots.get(place.bootId) ?? { id: place.bootId, first: realtime, last: realtime };
    boots.set(place.bootId, { ...known, last: realtime });
  }
  return [...boots.values()];
}

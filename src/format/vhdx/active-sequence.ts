import type { Guid } from '../../bytes/guid.ts';
import { decodeLogEntry, type LogEntry, logEntryLength, logSectorLength } from './log-entry.ts';

/** The entries of a log that are to be replayed, in order. */
export type LogSequence = readonly LogEntry[];

/** Entries of one log do not lie on one another; those of one that somebody made up may, and each is summed up. */
const maximumSummedShare = 2;

/**
 * The active sequence of a log: of the whole sequences of entries, each with the next sequence number and the last
 * with its Tail in the sequence, the one whose last number is the largest. It starts at that Tail: what is before was
 * on disk already. Undefined where there is none.
 *
 * Source: MS-VHDX, section 2.3.3, "Log Sequence" and "Log Replay".
 */
export function activeSequence(log: Uint8Array, logGuid: Guid): LogSequence | undefined {
  const entries = new LogEntries(log, logGuid);
  const tried = new Set<number>();
  let best: LogSequence | undefined;
  for (let start = 0; start < log.length; start += logSectorLength) {
    if (tried.has(start)) continue;
    const { entries: found, places } = sequenceFrom(entries, start, log.length);
    // Nothing that starts inside of it is better: it ends alike, and holds fewer Tails.
    for (const place of places) tried.add(place);
    const last = found.at(-1);
    const tailIndex = last === undefined ? -1 : places.indexOf(last.tail);
    if (last === undefined || tailIndex === -1) continue;
    if (best === undefined || last.sequenceNumber > best.at(-1)!.sequenceNumber) best = found.slice(tailIndex);
  }
  return best;
}

interface FoundSequence {
  readonly entries: readonly LogEntry[];
  /** Where each of them is in the log, in bytes. */
  readonly places: readonly number[];
}

/** As many entries as follow one another from byte `start` of the log on, once around at most. */
function sequenceFrom(log: LogEntries, start: number, logLength: number): FoundSequence {
  const entries: LogEntry[] = [];
  const places: number[] = [];
  let taken = 0;
  for (;;) {
    const place = (start + taken) % logLength;
    const entry = taken < logLength ? log.at(place) : undefined;
    const isNext = entries.length === 0 || entry?.sequenceNumber === entries.at(-1)!.sequenceNumber + 1n;
    if (entry === undefined || !isNext || taken + entry.length > logLength) return { entries, places };
    entries.push(entry);
    places.push(place);
    taken += entry.length;
  }
}

/** The entries of a log by their places; each is decoded once. */
class LogEntries {
  readonly #log: Uint8Array;
  readonly #logGuid: Guid;
  readonly #known = new Map<number, LogEntry | undefined>();
  #summedLength = 0;

  constructor(log: Uint8Array, logGuid: Guid) {
    this.#log = log;
    this.#logGuid = logGuid;
  }

  at(place: number): LogEntry | undefined {
    if (!this.#known.has(place)) this.#known.set(place, this.#decode(place));
    return this.#known.get(place);
  }

  #decode(place: number): LogEntry | undefined {
    const log = this.#log;
    const length = logEntryLength(log.subarray(place, place + logSectorLength), this.#logGuid, log.length);
    if (length === undefined) return undefined;
    this.#summedLength += length;
    if (this.#summedLength > log.length * maximumSummedShare) return undefined;
    const end = place + length;
    if (end <= log.length) return decodeLogEntry(log.subarray(place, end), log.length);
    return decodeLogEntry(Buffer.concat([log.subarray(place), log.subarray(0, end - log.length)]), log.length);
  }
}

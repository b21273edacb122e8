import type { LogRecord } from './log-record.ts';
import { readRecord } from './log-record.ts';
import { isRecordHeader, type LogRing, sectorSize } from './log-ring.ts';

/** As much may be under way at once, in sectors: eight records of the longest kind, and their headers. */
const underWay = (8 * (262_144 + 8 * sectorSize)) / sectorSize;

/** The last record that is whole; undefined where there is none. */
export async function lastRecord(ring: LogRing): Promise<LogRecord | undefined> {
  const head = await ring.head();
  const back = Math.min(ring.sectorCount, underWay);
  for (let distance = 1; distance <= back; distance++) {
    const place = (head - distance + ring.sectorCount) % ring.sectorCount;
    if (!isRecordHeader(await ring.read(place, 1))) continue;
    const record = await readRecord(ring, place);
    if (record !== undefined) return record;
  }
  return undefined;
}

/** The records from what `last` says is the oldest that counts, in order, up to the last one that is whole. */
export async function* recordsBefore(ring: LogRing, last: LogRecord): AsyncGenerator<LogRecord> {
  let { place, cycle } = last.tail;
  for (let sectors = 0; sectors < ring.sectorCount; ) {
    const record = place < ring.sectorCount ? await readRecord(ring, place) : undefined;
    if (record === undefined || record.cycle !== cycle) return;
    yield record;
    sectors += record.end - record.place;
    if (record.end >= ring.sectorCount) cycle++;
    place = record.end % ring.sectorCount;
  }
}

/*
 * A time of exFAT, 32 bits, of local time:
 *
 *   bits  0–4 seconds / 2, 5–10 minutes, 11–15 hours, 16–20 day, 21–24 month, 25–31 years from 1980
 *
 * then 10 ms from 0 to 199 elsewhere, and a byte that says how far local time was from UTC: bit 7 set where that is known,
 * the other seven signed, in quarters of an hour.
 *
 * Source: Microsoft, exFAT file system specification, sections 7.4.5 to 7.4.10.
 */
import type { Timestamp } from '../file-system.ts';

const quarterSeconds = 900;

/** A time as a File entry has it. */
interface StoredTime {
  readonly timestamp: number;
  readonly hundredths: number;
  readonly utcOffset: number;
}

/** The moment that is meant, or undefined for none; local time whose distance is not known is taken for UTC. */
function decodeTime({ timestamp, hundredths, utcOffset }: StoredTime): Timestamp | undefined {
  const date = timestamp >>> 16;
  const time = timestamp & 0xffff;
  if (date === 0) return undefined;
  const days = Date.UTC(1980 + (date >> 9), ((date >> 5) & 0xf) - 1, date & 0x1f) / 1000;
  const seconds = (time >> 11) * 3600 + ((time >> 5) & 0x3f) * 60 + (time & 0x1f) * 2;
  const isKnown = (utcOffset & 0x80) !== 0;
  const quarters = isKnown ? ((utcOffset & 0x7f) << 25) >> 25 : 0;
  return {
    seconds: days + seconds + Math.floor(hundredths / 100) - quarters * quarterSeconds,
    nanoseconds: (hundredths % 100) * 10_000_000,
  };
}

/** The three times of a File entry. */
export function decodeTimes(entry: DataView): Record<'created' | 'modified' | 'accessed', Timestamp | undefined> {
  const at = (place: number, hundredths: number, offsetPlace: number) =>
    decodeTime({ timestamp: entry.getUint32(place, true), hundredths, utcOffset: entry.getUint8(offsetPlace) });
  return {
    created: at(8, entry.getUint8(20), 22),
    modified: at(12, entry.getUint8(21), 23),
    accessed: at(16, 0, 24),
  };
}

import { isVarveError } from '../base/varve-error.ts';
import { decodeImageRecord, encodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';
import type { StoreParts } from './store-parts.ts';

/** A record that does not say what the catalog says of its image. */
export interface StaleRecord {
  readonly key: string;
  /** What it should say. */
  readonly record: ImageRecord;
  /** How it is damaged; undefined when it says what a process was about to commit when it died. */
  readonly damage: string | undefined;
}

/**
 * Compares the records of images with the catalog. A record is written before the change is committed, so that what is
 * reported is in it; one that was written, and whose change never came, would speak up when the catalog is rebuilt.
 */
export function* staleRecords(parts: StoreParts): Iterable<StaleRecord> {
  for (const { id, uuid } of parts.images.all()) {
    const record = parts.images.record(id);
    const key = imageRecordKey(uuid);
    const found = record === undefined ? undefined : compare(parts, key, record);
    if (record === undefined || found === 'right') continue;
    // Somebody may have changed both between the two looks.
    const after = parts.images.record(id);
    if (after === undefined || !sameRecord(after, record)) continue;
    yield { key, record, damage: found };
  }
}

/** Writes stale records anew; inside a transaction, so that nobody is about to commit. */
export function mendRecords(parts: StoreParts): void {
  for (const { key, record } of staleRecords(parts)) parts.packs.replace(key, encodeImageRecord(record));
}

/** `right`, how it is damaged, or undefined when it says something else. */
function compare(parts: StoreParts, key: string, expected: ImageRecord): string | undefined {
  try {
    const bytes = new Uint8Array(parts.packs.size(key));
    parts.packs.read(key, bytes, 0);
    return sameRecord(decodeImageRecord(bytes, key), expected) ? 'right' : undefined;
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return isNeeded(expected) ? `${key}: missing` : 'right';
    if (isVarveError(error, 'CORRUPT')) return error.message;
    throw error;
  }
}

/** Whether there is something that only a record can tell; an image that was never changed has none. */
function isNeeded({ tags, messages, rewrites = [] }: ImageRecord): boolean {
  return Object.keys(tags).length > 0 || Object.keys(messages).length > 0 || rewrites.length > 0;
}

/** The next number is left out: it goes on with every snapshot, and only a removal writes it down. */
function sameRecord(a: ImageRecord, b: ImageRecord): boolean {
  return Buffer.compare(encodeImageRecord({ ...a, nextNumber: 1 }), encodeImageRecord({ ...b, nextNumber: 1 })) === 0;
}

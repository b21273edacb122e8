import { cursorOf, type LogEntry, type LogField } from '../log-entry.ts';
import { LogTime } from './log-times.ts';
import { blobSize, type ShowEntryOptions, sourceTime } from './short-entry.ts';

/** Longer values are left out of JSON, in bytes, as journalctl does. */
const longestJson = 4096;
const bootField = '_BOOT_ID';

/** All of an entry, a field a line, as `journalctl -o verbose` has it. */
export function verboseEntry(entry: LogEntry, { isAll, isUtc }: ShowEntryOptions): string {
  const cursor = cursorOf(entry);
  const heading = new LogTime(sourceTime(entry), isUtc).verbose + (cursor === undefined ? '' : ` [${cursor}]`);
  const lines = entry.fields.map((field) => {
    const text = isAll ? new TextDecoder().decode(field.value) : field.printable;
    const indent = 5 + field.name.length;
    const value = text?.replace(/\n$/, '').replaceAll('\n', `\n${' '.repeat(indent)}`);
    return value === undefined
      ? `    ${field.name}=[${blobSize(field.value.length)} blob data]`
      : `    ${field.name}=${value}`;
  });
  return `${[heading, ...lines].join('\n')}\n`;
}

/** An entry as an object, as `journalctl -o json` has it: what is no text as numbers, what is there twice as an array. */
export function jsonEntry(entry: LogEntry, { isAll }: Pick<ShowEntryOptions, 'isAll'>): Record<string, unknown> {
  const { place, realtime } = entry;
  const values = new Map<string, unknown[]>();
  for (const field of entry.fields) {
    if (place !== undefined && field.name === bootField) continue;
    values.set(field.name, [...(values.get(field.name) ?? []), jsonValue(field, isAll)]);
  }
  return {
    __CURSOR: cursorOf(entry),
    __REALTIME_TIMESTAMP: String(realtime),
    ...(place && { __MONOTONIC_TIMESTAMP: String(place.monotonic), [bootField]: place.bootId }),
    ...Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all])),
  };
}

function jsonValue({ name, printable, value }: LogField, isAll: boolean): string | readonly number[] | null {
  if (!isAll && name.length + 1 + value.length >= longestJson) return null;
  return printable ?? Array.from(value);
}

/** An entry to be read by systemd-journal-remote. Source: Journal Export Formats, systemd.io/JOURNAL_EXPORT_FORMATS. */
export function exportEntry(entry: LogEntry): Uint8Array {
  const { place, realtime } = entry;
  const head = [
    ...(place === undefined ? [] : [`__CURSOR=${cursorOf(entry)}`]),
    `__REALTIME_TIMESTAMP=${realtime}`,
    ...(place === undefined ? [] : [`__MONOTONIC_TIMESTAMP=${place.monotonic}`, `${bootField}=${place.bootId}`]),
  ];
  const fields = entry.fields.filter(({ name }) => place === undefined || name !== bootField);
  return Buffer.concat([Buffer.from(`${head.join('\n')}\n`), ...fields.flatMap(exportField), Buffer.from('\n')]);
}

function exportField({ name, printable, value }: LogField): Uint8Array[] {
  const end = Buffer.from('\n');
  if (printable !== undefined && !printable.includes('\n')) return [Buffer.from(`${name}=`), value, end];
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return [Buffer.from(`${name}\n`), length, value, end];
}

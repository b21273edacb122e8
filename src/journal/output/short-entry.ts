import { fieldOf, type LogEntry, type LogField } from '../log-entry.ts';
import { LogTime } from './log-times.ts';

/** How entries are shown. */
export interface ShowEntryOptions {
  readonly isUtc: boolean;
  /** Whether what is long or no text is shown all the same. */
  readonly isAll: boolean;
}

/**
 * An entry on one line, as syslog has it: time, host, who said it, what; further lines of a message stand below its first.
 * Empty for an entry without a message. What is no text shows as `[3B blob data]`, and colours are left out.
 */
export function shortEntry(entry: LogEntry, options: ShowEntryOptions, timeStyle: 'short' | 'iso'): string {
  const message = fieldOf(entry, 'MESSAGE');
  if (message === undefined) return '';
  const time = new LogTime(sourceTime(entry), options.isUtc)[timeStyle];
  const name = printableOf(entry, 'SYSLOG_IDENTIFIER') ?? printableOf(entry, '_COMM') ?? 'unknown';
  const pid = printableOf(entry, '_PID') ?? printableOf(entry, 'SYSLOG_PID');
  const host = printableOf(entry, '_HOSTNAME');
  const start = `${time}${host === undefined ? '' : ` ${host}`} ${name}${pid === undefined ? '' : `[${pid}]`}: `;
  return `${start}${messageText(message, start.length, options)}\n`;
}

/** When it was sent, where whoever sent it said so, in microseconds since 1970. */
export function sourceTime(entry: LogEntry): number {
  const text = fieldOf(entry, '_SOURCE_REALTIME_TIMESTAMP')?.text ?? '';
  return /^\d{1,16}$/.test(text) && Number(text) > 0 ? Number(text) : entry.realtime;
}

/** What journalctl prints of who said it: short, and with nothing in it that is no text. */
function printableOf(entry: LogEntry, name: string): string | undefined {
  const text = fieldOf(entry, name)?.printable;
  return text === undefined || text.length >= longestName || text.includes('\n') ? undefined : text;
}

const longestName = 300;

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours, and titles of windows
const escapeSequence = /\x1b\[[0-9;:]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

function messageText(message: LogField, indent: number, { isAll }: ShowEntryOptions): string {
  const text = isAll
    ? new TextDecoder().decode(message.value)
    : message.text?.replaceAll('\t', '        ').replace(escapeSequence, '');
  if (text === undefined || (!isAll && control.test(text))) return `[${blobSize(message.value.length)} blob data]`;
  return text.replace(/\n$/, '').replaceAll('\n', `\n${' '.repeat(indent)}`);
}

/** As journalctl writes sizes: `3B`, `1.2K`. */
export function blobSize(length: number): string {
  const units = ['B', 'K', 'M', 'G'];
  const place = Math.min(3, Math.floor(Math.log2(Math.max(1, length)) / 10));
  if (place === 0) return `${length}B`;
  const tenths = Math.floor((length * 10) / 1024 ** place);
  return `${Math.floor(tenths / 10)}.${tenths % 10}${units[place]}`;
}

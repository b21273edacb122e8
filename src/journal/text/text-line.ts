import { type LogEntry, LogField } from '../log-entry.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const syslogLine = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\S+) ?([\s\S]*)$/;
const isoLine = /^(?:<\d{1,3}>)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z|[+-]\d\d:\d\d) (\S+) ?([\s\S]*)$/;
const taggedMessage = /^([^\s:[\]]{1,128})(?:\[(\d{1,10})\])?: ?([\s\S]*)$/;

/** When a line says that it was written: a moment, or a time of a year that it does not name, and of a place. */
export type LineTime =
  /** In microseconds since 1970. */
  | { readonly kind: 'moment'; readonly realtime: number }
  /** Milliseconds since 1970, were it of `year` and of UTC. */
  | { readonly kind: 'yearly'; readonly inYear: (year: number) => number };

/** What the start of a line says of its time; undefined where it is none that syslog writes. */
export function lineTime(line: string): LineTime | undefined {
  const [, day, fraction = '', zone = ''] = isoLine.exec(line) ?? [];
  if (day !== undefined) {
    const milliseconds = Date.parse(day + zone);
    if (!(milliseconds >= 0)) return undefined;
    return { kind: 'moment', realtime: milliseconds * 1000 + Number(fraction.padEnd(6, '0')) };
  }
  const [, monthName = '', ...rest] = syslogLine.exec(line) ?? [];
  const month = months.indexOf(monthName);
  if (month < 0) return undefined;
  const [date, hours, minutes, seconds] = rest.slice(0, 4).map(Number);
  return { kind: 'yearly', inYear: (year) => Date.UTC(year, month, date, hours, minutes, seconds) };
}

/** A line of a text log. Its fields are made when they are asked for. */
export class TextLine implements LogEntry {
  readonly realtime: number;
  readonly text: string;

  constructor(realtime: number, text: string) {
    this.realtime = realtime;
    this.text = text;
  }

  get fields(): readonly LogField[] {
    const found = isoLine.exec(this.text) ?? syslogLine.exec(this.text);
    const [host, body] = [found?.at(-2), found?.at(-1) ?? this.text];
    const [, identifier, pid, message = body] = taggedMessage.exec(body) ?? [];
    const fields: readonly (readonly [name: string, value: string | undefined])[] = [
      ['_HOSTNAME', host],
      ['SYSLOG_IDENTIFIER', identifier],
      ['SYSLOG_PID', pid],
      ['MESSAGE', message],
    ];
    return fields.flatMap(([name, value]) => (value === undefined ? [] : new LogField(name, Buffer.from(value))));
  }
}

import { globMatcher } from '../guest/find/glob.ts';
import { type LogEntry, textOf } from './log-entry.ts';

/** Which entries are wanted; what is left out does not matter. */
export interface LogQuery {
  /** Names of units, or patterns; a service’s without `.service`, too. */
  readonly units?: readonly string[] | undefined;
  readonly identifiers?: readonly string[] | undefined;
  /** Numbers of priorities, 0 to 7. */
  readonly priorities?: { readonly from: number; readonly to: number } | undefined;
  /** Messages that it matches. */
  readonly pattern?: RegExp | undefined;
  /** Whether only what the kernel said. */
  readonly isKernel?: boolean | undefined;
  /** In microseconds since 1970, both included. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** In 32 hexadecimal digits. */
  readonly bootId?: string | undefined;
  /** `FIELD=value`: one of those of each field. */
  readonly matches?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
}

type Test = (entry: LogEntry) => boolean;

/** What tells whether an entry is wanted. @throws VarveError `INVALID` for a pattern of a unit that is none */
export function logFilter(query: LogQuery): Test {
  const { bootId, identifiers, isKernel, matches, pattern, priorities, since, units, until } = query;
  const tests: Test[] = [];
  if (since !== undefined) tests.push(({ realtime }) => realtime >= since);
  if (until !== undefined) tests.push(({ realtime }) => realtime <= until);
  if (bootId !== undefined) tests.push(({ place }) => place?.bootId === bootId);
  if (isKernel) tests.push(isFromKernel);
  if (priorities !== undefined) tests.push((entry) => isWithin(textOf(entry, 'PRIORITY'), priorities));
  if (identifiers !== undefined) {
    tests.push((entry) => identifiers.includes(textOf(entry, 'SYSLOG_IDENTIFIER') ?? ''));
  }
  if (units !== undefined) tests.push(anyOf(units.map(unitTest)));
  for (const [name, values] of matches ?? []) tests.push((entry) => hasValue(entry, name, values));
  if (pattern !== undefined) tests.push((entry) => pattern.test(textOf(entry, 'MESSAGE') ?? ''));
  return (entry) => tests.every((test) => test(entry));
}

function anyOf(tests: readonly Test[]): Test {
  return (entry) => tests.some((test) => test(entry));
}

function hasValue({ fields }: LogEntry, wanted: string, values: ReadonlySet<string>): boolean {
  return fields.some(({ name, text }) => name === wanted && text !== undefined && values.has(text));
}

function isWithin(text: string | undefined, { from, to }: { readonly from: number; readonly to: number }): boolean {
  return text !== undefined && /^[0-7]$/.test(text) && Number(text) >= from && Number(text) <= to;
}

/** Text files name the kernel as who said it. */
function isFromKernel(entry: LogEntry): boolean {
  if (entry.place === undefined) return textOf(entry, 'SYSLOG_IDENTIFIER') === 'kernel';
  return textOf(entry, '_TRANSPORT') === 'kernel';
}

const dumpedCore = 'fc2e22bc6ee647b6b90729ab34a250b1';
const unitSuffix = /\.(service|socket|target|device|mount|automount|swap|timer|path|slice|scope)$/;

/** What a unit said itself, and what systemd and the core dumps of it say of it. Source: systemd.journal-fields(7). */
function unitTest(name: string): Test {
  const unit = unitSuffix.test(name) || /[*?[]$/.test(name) ? name : `${name}.service`;
  const isMeant = globMatcher(unit);
  const own = globMatcher(name);
  return (entry) => {
    if (entry.place === undefined) return own(textOf(entry, 'SYSLOG_IDENTIFIER') ?? '');
    const is = (field: string) => {
      const text = textOf(entry, field);
      return text !== undefined && isMeant(text);
    };
    if (is('_SYSTEMD_UNIT') || (is('UNIT') && textOf(entry, '_PID') === '1')) return true;
    if (unit.endsWith('.slice') && is('_SYSTEMD_SLICE')) return true;
    if (textOf(entry, '_UID') !== '0') return false;
    return is('OBJECT_SYSTEMD_UNIT') || (is('COREDUMP_UNIT') && textOf(entry, 'MESSAGE_ID') === dumpedCore);
  };
}

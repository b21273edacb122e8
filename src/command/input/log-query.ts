import { VarveError } from '../../base/varve-error.ts';
import type { LogQuery } from '../../journal/log-filter.ts';

const priorityNames = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const otherNames: Readonly<Record<string, string>> = { error: 'err', warn: 'warning', panic: 'emerg' };

/** `err` is that and all that is worse, `warning..notice` from one to the other; also as numbers. @throws VarveError `INVALID` */
export function parsePriorities(text: string): LogQuery['priorities'] {
  const [from, to, ...rest] = text.split('..').map(priorityNumber);
  if (from === undefined || rest.length > 0 || Number.isNaN(from) || Number.isNaN(to)) {
    const accepted = `${priorityNames.join(', ')}, 0 to 7, or a range: warning..notice`;
    throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a priority; write ${accepted}`);
  }
  return to === undefined ? { from: 0, to: from } : { from: Math.min(from, to), to: Math.max(from, to) };
}

function priorityNumber(text: string): number {
  if (/^[0-7]$/.test(text)) return Number(text);
  const place = priorityNames.indexOf(otherNames[text] ?? text);
  return place < 0 ? Number.NaN : place;
}

/** A pattern in small letters matches whatever the case, as with journalctl(1). @throws VarveError `INVALID` */
export function parseMessagePattern(text: string): RegExp {
  try {
    return new RegExp(text, text === text.toLowerCase() ? 'iu' : 'u');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a pattern: ${why}`, { cause });
  }
}

/** `FIELD=value` each. @throws VarveError `INVALID` */
export function parseMatches(texts: readonly string[]): Map<string, Set<string>> {
  const matches = new Map<string, Set<string>>();
  for (const text of texts) {
    const end = text.indexOf('=');
    const name = text.slice(0, Math.max(0, end));
    if (!/^[A-Z0-9_]+$/.test(name)) {
      throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a field and its value: _PID=1`);
    }
    matches.set(name, (matches.get(name) ?? new Set<string>()).add(text.slice(end + 1)));
  }
  return matches;
}

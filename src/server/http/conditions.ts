import type { IncomingHttpHeaders } from 'node:http';

/** What a client compares what it has with. */
export interface Validators {
  /** With its quotes; always a strong one. */
  readonly entityTag: string | undefined;
  /** In milliseconds since 1970, whole seconds. */
  readonly modifiedMs: number | undefined;
}

/** The status that a request's conditions come to instead of an answer (RFC 9110, section 13.2.2), if they do. */
export function statusByConditions(
  headers: IncomingHttpHeaders,
  { entityTag, modifiedMs }: Validators,
): 304 | 412 | undefined {
  const match = headers['if-match'];
  const unmodifiedSince = dateOf(headers['if-unmodified-since']);
  if (match !== undefined) {
    if (!hasTag(match, entityTag, false)) return 412;
  } else if (unmodifiedSince !== undefined && modifiedMs !== undefined && modifiedMs > unmodifiedSince) return 412;
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) return hasTag(noneMatch, entityTag, true) ? 304 : undefined;
  const modifiedSince = dateOf(headers['if-modified-since']);
  if (modifiedSince === undefined || modifiedMs === undefined) return undefined;
  return modifiedMs <= modifiedSince ? 304 : undefined;
}

/** Whether the part that a request asks for is of the file that the client knows (If-Range: RFC 9110, section 13.1.5). */
export function isSameForRange(header: string | undefined, { entityTag, modifiedMs }: Validators): boolean {
  if (header === undefined) return true;
  if (header.startsWith('"')) return header === entityTag;
  return modifiedMs !== undefined && dateOf(header) === modifiedMs;
}

function hasTag(header: string, entityTag: string | undefined, weakly: boolean): boolean {
  if (header.trim() === '*') return true;
  if (entityTag === undefined) return false;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === entityTag || (weakly && tag === `W/${entityTag}`));
}

function dateOf(header: string | undefined): number | undefined {
  // A time without `GMT` would be taken for a local one; what is no date counts as not there.
  const time = header?.endsWith(' GMT') ? Date.parse(header) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

import { VarveError } from '../../base/varve-error.ts';

/**
 * `Content-Range: bytes FIRST-LAST/SIZE`, or `bytes *` `/SIZE` where a range lies behind the end; SIZE may be `*`, for a
 * server that does not know it. Source: RFC 9110, section 14.4.
 */
export interface ContentRange {
  /** Which bytes come; left out where none do. */
  readonly range: { readonly offset: number; readonly length: number } | undefined;
  /** Of the whole, in bytes; left out where the server does not know. */
  readonly size: number | undefined;
}

/** @throws VarveError `CORRUPT` for what is none */
export function decodeContentRange(text: string | undefined): ContentRange {
  const [, first, last, size] =
    /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(?:(\d{1,16})|\*)$/i.exec(text?.trim() ?? '') ?? [];
  const decoded: ContentRange = {
    range: first === undefined ? undefined : { offset: Number(first), length: Number(last) - Number(first) + 1 },
    size: size === undefined ? undefined : Number(size),
  };
  if ((first ?? size) === undefined || !isPossible(decoded)) {
    const shown = text === undefined ? 'none' : JSON.stringify(text.slice(0, 100));
    throw new VarveError('CORRUPT', `the server's Content-Range cannot be: ${shown}`);
  }
  return decoded;
}

function isPossible({ range, size = Number.MAX_SAFE_INTEGER }: ContentRange): boolean {
  if (!Number.isSafeInteger(size)) return false;
  return range === undefined || (range.length > 0 && range.offset + range.length <= size);
}

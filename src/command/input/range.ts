import { parseSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';

/**
 * Reads a range of a disk: `1M+4K` (offset and length), `0-10M` (from, and to but not with), or `all`, which is undefined.
 *
 * @returns offset and length in bytes, the length over 0
 * @throws INVALID
 */
export function parseRange(text: string): { readonly offset: number; readonly length: number } | undefined {
  if (text === 'all') return undefined;
  const [, first = '', sign, second = ''] = /^([^+-]+)([+-])([^+-]+)$/.exec(text) ?? [];
  if (sign !== undefined) {
    const offset = parseSize(first);
    const length = sign === '+' ? parseSize(second) : parseSize(second) - offset;
    if (length > 0 && Number.isSafeInteger(offset + length)) return { offset, length };
  }
  const forms = 'write 1M+4K (4 KiB from 1 MiB on), 1M-2M, or all';
  throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a range: ${forms}`);
}

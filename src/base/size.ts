import { VarveError } from './varve-error.ts';

const prefixes = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const pattern = /^(\d+)(\.\d+)?\s*(?:([kmgtpe])(?:i?b)?|b)?$/i;

/**
 * Reads a size as people write it: `4096`, `64k`, `10G`, `512MiB`, `1.5 GiB`. Every prefix is a power of 1024, with or
 * without `B` or `iB` and in either case, as qemu-img reads them; a fraction is rounded down to whole bytes.
 *
 * @returns bytes, at most 2^53−1
 * @throws `INVALID` naming the text and what is accepted
 */
export function parseSize(text: string): number {
  const match = pattern.exec(text.trim());
  if (match === null) throw invalid(text, 'it is not a number with a unit');
  const [, whole = '', fraction = '', prefix = ''] = match;
  const unit = 1024 ** prefixes.indexOf(prefix.toUpperCase());
  if (fraction !== '' && unit === 1) throw invalid(text, 'there is no part of a byte');
  const bytes = Number(whole) * unit + Math.floor(Number(`0${fraction}`) * unit);
  if (!Number.isSafeInteger(bytes)) throw invalid(text, 'it is over 2^53-1 bytes');
  return bytes;
}

function invalid(text: string, reason: string): VarveError {
  return new VarveError(
    'INVALID',
    `cannot read ${JSON.stringify(text)} as a size: ${reason}; write bytes, or a number with K, M, G, T or P, as in 4096, 64K, 1.5GiB`,
  );
}

/**
 * Writes a size for people: `512 B`, `64 KiB`, `1.5 GiB`. Whole multiples of their unit stand without decimals,
 * everything else from 1 KiB up is rounded to one.
 */
export function formatSize(bytes: number): string {
  let value = bytes;
  let prefix = 0;
  // 1023.95 rounds to 1024.0, which is 1 of the next unit.
  while (value >= (prefix === 0 ? 1023.5 : 1023.95) && prefix < prefixes.length - 1) {
    value /= 1024;
    prefix += 1;
  }
  if (prefix === 0) return `${Math.round(value)} B`;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${prefixes[prefix]}iB`;
}

import { VarveError } from '../../base/varve-error.ts';

/** Reads a whole number of at least 1. @throws INVALID */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a count: write a whole number of at least 1`);
}

import { VarveError } from '../../../base/varve-error.ts';
import type { BitmapEntry } from './bitmap-directory.ts';

/**
 * The bitmap with that name.
 *
 * @throws VarveError `NOT_FOUND`
 */
export function findBitmap(entries: readonly BitmapEntry[], name: string, imageName: string): BitmapEntry {
  const found = entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = entries.slice(0, 20).map((entry) => JSON.stringify(entry.name));
  const there = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  throw new VarveError('NOT_FOUND', `${imageName} has no bitmap ${JSON.stringify(name)}; ${there}`);
}

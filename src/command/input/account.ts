import { VarveError } from '../../base/varve-error.ts';

/**
 * The number of a user or group that is given by its name in the guest, or by number.
 *
 * @throws VarveError `INVALID` for a name that the guest does not have
 */
export function accountNumber(text: string, names: ReadonlyMap<number, string>, kind: 'user' | 'group'): number {
  for (const [number, name] of names) if (name === text) return number;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new VarveError('INVALID', `there is no ${kind} ${JSON.stringify(text)} in the guest; a number will do, too`);
}

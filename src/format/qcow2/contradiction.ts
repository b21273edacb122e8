import type { VarveError } from '../../base/varve-error.ts';
import { corruptImage } from '../image-errors.ts';

const contradictions = new WeakSet<object>();

/** The error for tables that contradict each other, found where something was to be changed; see `isContradiction`. */
export function contradiction(name: string, why: string): VarveError {
  const error = corruptImage(name, why);
  contradictions.add(error);
  return error;
}

/** Whether an error is of `contradiction`: the image is damaged so that no one should write to it. */
export function isContradiction(error: unknown): boolean {
  return typeof error === 'object' && error !== null && contradictions.has(error);
}

import { VarveError } from '../../base/varve-error.ts';

/** An image's bytes contradict themselves or the file's length. */
export function corruptImage(name: string, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `cannot read ${name}: ${why}`, cause === undefined ? undefined : { cause });
}

/** An image is well formed and uses what this version does not know. */
export function unsupportedImage(name: string, why: string): VarveError {
  return new VarveError('UNSUPPORTED', `cannot open ${name}: ${why}`);
}

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

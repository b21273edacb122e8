import { VarveError } from '../../base/varve-error.ts';

/** An image's bytes contradict themselves or the file's length. */
export function corruptImage(name: string, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `cannot read ${name}: ${why}`, cause === undefined ? undefined : { cause });
}

/** An image is well formed and uses what this version does not know. */
export function unsupportedImage(name: string, why: string): VarveError {
  return new VarveError('UNSUPPORTED', `cannot open ${name}: ${why}`);
}

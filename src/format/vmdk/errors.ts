import { VarveError } from '../../base/varve-error.ts';

/** A disk's bytes contradict themselves or the file's length. */
export function corruptDisk(name: string, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `cannot read ${name}: ${why}`, cause === undefined ? undefined : { cause });
}

/** A disk is well formed and uses what this version does not know. */
export function unsupportedDisk(name: string, why: string): VarveError {
  return new VarveError('UNSUPPORTED', `cannot open ${name}: ${why}`);
}

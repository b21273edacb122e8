import { VarveError } from '../base/varve-error.ts';

/** An image's bytes contradict themselves or the file's length. */
export function corruptImage(name: string, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `cannot read ${name}: ${why}`, cause === undefined ? undefined : { cause });
}

/** An image is well formed and uses what this version does not know. */
export function unsupportedImage(name: string, why: string): VarveError {
  return new VarveError('UNSUPPORTED', `cannot open ${name}: ${why}`);
}

/** An image names the file it builds on, and nobody said that it may be opened. */
export function backingNotAllowed(name: string, backing: string): VarveError {
  return new VarveError(
    'PERMISSION',
    `cannot open ${name}: it builds on the file ${JSON.stringify(backing)}, and an image's word is no reason to open ` +
      'another file; allow backing files if you trust it',
  );
}

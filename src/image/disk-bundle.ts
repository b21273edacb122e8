import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isVarveError, VarveError } from '../base/varve-error.ts';

const descriptor = 'DiskDescriptor.xml';

/**
 * The error for a path that is no file: whoever named the `.hdd` directory of a Parallels disk learns which files are in
 * it. Any other error is given back as it is.
 */
export async function withBundleHint(path: string, error: unknown): Promise<unknown> {
  if (!isVarveError(error, 'INVALID')) return error;
  const names = await readdir(path).catch((): string[] => []);
  if (!names.includes(descriptor)) return error;
  const parts = names.filter((name) => name.endsWith('.hds')).map((name) => join(path, name));
  const advice = parts.length === 0 ? 'none of its .hds files is there' : `give one of its files: ${parts.join(', ')}`;
  const what = 'it is a Parallels disk bundle, a directory of images that build on one another';
  return new VarveError('UNSUPPORTED', `cannot open ${path}: ${what}; ${advice}`, { cause: error });
}

import { dirname } from 'node:path';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { isInside } from '../../format/inside-directory.ts';
import { backingPath, type ImageFile, readImageFile, realPath } from './image-file.ts';
import type { ChainOptions } from './open-chain.ts';

/** A file of a chain, or why it was not looked at. */
export type ChainLink =
  | { readonly kind: 'image'; readonly image: ImageFile }
  /** `name` is what the image above says. */
  | { readonly kind: 'missing' | 'not allowed' | 'no file'; readonly name: string };

/** Nobody's chain is longer. */
const maximumDepth = 1000;

/**
 * The image in a file, the one that it builds on, and so on, by what their headers say. It ends with a link of another
 * kind where the next file is not there, or may not be looked at.
 *
 * @throws VarveError `CORRUPT` for a ring, and what `readImageFile` throws
 */
export async function* walkChain(
  path: string,
  options: ChainOptions & { format?: string | undefined } = {},
): AsyncGenerator<ChainLink> {
  const allowed = await allowedDirectories(path, options);
  const seen = new Set<string>();
  let image = await readImageFile(path, options.format);
  for (;;) {
    if (seen.has(image.path)) throw ringError(path, image.path);
    if (seen.size > maximumDepth) {
      throw new VarveError('UNSUPPORTED', `cannot read ${path}: its chain has more than ${maximumDepth} files`);
    }
    seen.add(image.path);
    yield { kind: 'image', image };
    const { backing } = image.information;
    if (backing === undefined) return;
    const next = await nextOf(image, allowed);
    if (typeof next === 'string') {
      yield { kind: next, name: backing.name };
      return;
    }
    image = next;
  }
}

async function nextOf(
  { path, information }: ImageFile,
  allowed: readonly string[] | undefined,
): Promise<ImageFile | Exclude<ChainLink['kind'], 'image'>> {
  const { backing } = information;
  const next = backingPath(path, backing!);
  if (next === undefined) return 'no file';
  try {
    const real = await realPath(next);
    if (allowed !== undefined && !allowed.some((directory) => isInside(directory, real))) return 'not allowed';
    return await readImageFile(real, backing!.format);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return 'missing';
    throw error;
  }
}

/** Undefined where everything is. */
async function allowedDirectories(path: string, options: ChainOptions): Promise<string[] | undefined> {
  if (options.follow) return undefined;
  const directories = [dirname(await realPath(path)), ...(options.allowed ?? [])];
  return await Promise.all(directories.map(realPath));
}

function ringError(path: string, again: string): VarveError {
  return new VarveError(
    'CORRUPT',
    `cannot read ${path}: ${again} builds on itself; a chain of images cannot be a ring`,
  );
}

import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { plainFileName } from './file-name.ts';
import { openImage } from './formats.ts';
import type { AskSecret, OpenBacking, OpenPart } from './image-format.ts';
import { isInside } from './inside-directory.ts';

/** How the files that an image builds on are followed. */
export interface BackingFilesOptions {
  /** The path of the image that is being opened; relative names start from where it is. */
  readonly path: string;
  /** Directories that backing files may be in, or below. */
  readonly allowed: readonly string[];
  /** Opens a file to be read. */
  readonly openFile: (path: string) => Promise<BlockDevice>;
  /** Makes the hook that opens the files in which the image at a path keeps parts of its data. */
  readonly partsOf?: ((path: string) => OpenPart) | undefined;
  readonly askSecret?: AskSecret | undefined;
}

/** A chain deeper than this is refused; nobody's is, and each file of it stays open. */
const maximumDepth = 1000;
const filesystemRoot = '/';

/**
 * Follows backing files that lie in the directories allowed, where they really are after all symbolic links; theirs
 * too. A file that builds on itself, over whatever detour, is refused.
 *
 * Where an image does not tell the format of what it builds on, that file's content does; but then it may not name a
 * further one: a guest that writes an image's header into its raw disk would choose which file that is. Images of
 * formats that have no way to tell it, and so never do, may build on further ones where all directories are allowed.
 */
export async function followBackingFiles(options: BackingFilesOptions): Promise<OpenBacking> {
  const allowed = await Promise.all(options.allowed.map((directory) => realPath(directory)));
  const above = new Set([await realPath(options.path)]);
  return hookFor(options.path, { ...options, allowed, above });
}

interface Chain extends Omit<BackingFilesOptions, 'path'> {
  /** Where the files of the chain really are, down to the image. */
  readonly above: ReadonlySet<string>;
}

/** What opens the file that the image at the path `image` builds on. Names start from there, as QEMU has it. */
function hookFor(image: string, chain: Chain): OpenBacking {
  return async (name, format, cannotTell = false) => {
    const path = resolve(dirname(image), fileNameOf(name, image));
    const real = await realPath(path);
    refuse(real, image, chain);
    // What was checked is opened: a link that changes meanwhile leads nowhere else.
    const file = await chain.openFile(real);
    const above = new Set(chain.above).add(real);
    const { askSecret, partsOf } = chain;
    const isTold = format !== undefined || (cannotTell && chain.allowed.includes(filesystemRoot));
    const openBacking = isTold
      ? hookFor(path, { ...chain, above })
      : refuseFurther(path, image, cannotTell, 'it builds on');
    const openPart = isTold ? partsOf?.(path) : refuseFurther(path, image, cannotTell, 'a part of it is in');
    return openImage(file, {
      ...{ name: path, format, openBacking },
      ...(openPart === undefined ? {} : { openPart }),
      ...(askSecret === undefined ? {} : { askSecret }),
    });
  };
}

function refuseFurther(path: string, image: string, cannotTell: boolean, why: string): OpenPart {
  return async (name) => {
    const doing = `cannot open ${path}: ${why} ${JSON.stringify(name)}`;
    const advice = cannotTell
      ? 'it has no way to: give --follow if you trust all of them'
      : 'let it say so, as qemu-img rebase -u -F does';
    throw new VarveError('PERMISSION', `${doing}, and ${image} does not say that it is an image at all; ${advice}`);
  };
}

function fileNameOf(name: string, image: string): string {
  const file = plainFileName(name);
  if (file !== undefined) return file;
  const what = `cannot open ${image}: it builds on ${JSON.stringify(name)}`;
  throw new VarveError('UNSUPPORTED', `${what}, which is no file name`);
}

function refuse(path: string, image: string, { above, allowed }: Chain): void {
  const doing = `cannot open ${image}: it builds on ${path}`;
  if (above.has(path))
    throw new VarveError('CORRUPT', `${doing}, which builds on it; a chain of images cannot be a ring`);
  if (above.size > maximumDepth)
    throw new VarveError('UNSUPPORTED', `${doing}, the chain's file number ${above.size + 1}`);
  if (allowed.some((directory) => isInside(directory, path))) return;
  throw new VarveError('PERMISSION', `${doing}, which is in no directory that backing files are allowed in`);
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

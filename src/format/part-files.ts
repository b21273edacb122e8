import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { plainFileName } from './file-name.ts';
import type { OpenPart } from './image-format.ts';

/**
 * Opens the files in which the image at `path` keeps parts of its data, wherever they are; relative names start from
 * where the image is. An image that names itself is refused.
 */
export function followParts(path: string, openFile: (path: string) => Promise<BlockDevice>): OpenPart {
  return async (name) => {
    const what = `cannot open ${path}: a part of it is in ${JSON.stringify(name)}`;
    const file = plainFileName(name);
    if (file === undefined) throw new VarveError('UNSUPPORTED', `${what}, which is no file name`);
    const [part, image] = [await realPath(resolve(dirname(path), file)), await realPath(path)];
    if (part === image) throw new VarveError('CORRUPT', `${what}, which is the image itself`);
    return openFile(part);
  };
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

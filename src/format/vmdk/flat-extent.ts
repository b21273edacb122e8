import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import type { DiskExtent, GrainRun } from './disk-extent.ts';

/**
 * An extent whose bytes are in `file` as they are, from byte `start` on.
 *
 * @throws VarveError `CORRUPT` where the file is too short
 */
export function flatExtent(file: BlockDevice, start: number, size: number, name: string): DiskExtent {
  if (start + size > file.size) {
    throw corruptImage(name, `${size} bytes from byte ${start} on are not in the file, which has ${file.size} bytes`);
  }
  return {
    size,
    flatFile: file,
    lookup: (offset, length) => ({ kind: 'data', length: Math.min(length, size - offset), hostOffset: start + offset }),
    read: (target: Uint8Array, _offset: number, run: GrainRun): MaybePromise<void> => file.read(target, run.hostOffset),
    [Symbol.asyncDispose]: () => Promise.resolve(file[Symbol.asyncDispose]()),
  };
}

/** An extent of zeros, which has no file. */
export function zeroExtent(size: number): DiskExtent {
  return {
    size,
    lookup: (offset, length) => ({ kind: 'zero', length: Math.min(length, size - offset), hostOffset: 0 }),
    read: (target) => void target.fill(0),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** An extent in a file that is not to be opened, because nobody is going to read it. */
export function unopenedExtent(size: number, fileName: string): DiskExtent {
  const refuse = (): never => {
    throw new VarveError('PERMISSION', `cannot read ${JSON.stringify(fileName)}: it was not to be opened`);
  };
  return { size, lookup: refuse, read: refuse, [Symbol.asyncDispose]: async () => undefined };
}

import type { BlockDevice } from '../block/block-device.ts';
import type { FormatInformation } from '../format/image-format.ts';
import { type CompressedFileKind, compressedFileKind } from './compressed-file-kind.ts';
import type { UnpackOptions } from './unpack-file.ts';

/** A file to read a disk from. */
export interface UnpackedFile {
  readonly file: BlockDevice;
  /** What it was compressed with, and how long it was then, in bytes; undefined where it was not. */
  readonly packing: { readonly kind: CompressedFileKind; readonly size: number } | undefined;
}

/**
 * A file as it is, or what is inside where it is compressed. The file belongs to what is returned, and is disposed of
 * where unpacking fails.
 *
 * @throws VarveError as `unpackFile` does
 */
export async function unpackIfCompressed(file: BlockDevice, options: UnpackOptions): Promise<UnpackedFile> {
  const { size } = file;
  try {
    const kind = await compressedFileKind(file);
    if (kind === undefined) return { file, packing: undefined };
    // Most files are not compressed, and do without all that.
    const { openInParts, unpackFile } = await import('./unpack-file.ts');
    const inParts = kind === 'xz' ? await openInParts(file, kind, options) : undefined;
    if (inParts !== undefined) return { file: inParts, packing: { kind, size } };
    const inside = await unpackFile(file, kind, options);
    await file[Symbol.asyncDispose]();
    return { file: inside, packing: { kind, size } };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/** What an image inside a compressed file says of itself, with what is to be said of that file. */
export function informationInside(information: FormatInformation, packing: UnpackedFile['packing']): FormatInformation {
  if (packing === undefined) return information;
  const features = [...(information.features ?? []), `compressed by ${packing.kind}`];
  return { ...information, fileSize: packing.size, features };
}

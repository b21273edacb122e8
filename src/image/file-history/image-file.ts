import fs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { formatNamed, probeFormat } from '../../format/formats.ts';
import type { BackingReference, FormatInformation, ImageFormat } from '../../format/image-format.ts';
import { hasFeature } from '../../format/qcow2/check-header.ts';
import { type ContentStamp, contentStampType, decodeContentStamp } from '../../format/qcow2/content-stamp.ts';
import { autoclearFeature } from '../../format/qcow2/features.ts';
import type { Qcow2Header } from '../../format/qcow2/header.ts';
import { extensionData } from '../../format/qcow2/header-extensions.ts';
import { backingFormatOf } from '../../format/qcow2/qcow2-information.ts';
import { readHeader } from '../../format/qcow2/read-header.ts';
import { finishCommitFirst } from './finish-commit-first.ts';

/** An image file by what it says of itself; no other file was opened for that. */
export interface ImageFile {
  /** Where it really is, absolute and after all symbolic links. */
  readonly path: string;
  readonly information: FormatInformation;
  /** What was known of the file it builds on when it was made, if Varve made it. */
  readonly stamp: ContentStamp | undefined;
  /** Names of what else is in a qcow2 image that an empty one in its place would not have. */
  readonly extras: readonly string[];
  /** Of the file, in bytes. */
  readonly allocatedSize: number;
  /** When it was last written to, milliseconds since 1970. */
  readonly modified: number;
}

/**
 * What the image in a file says of itself. `format` is looked for in its content where it is not given.
 *
 * @throws VarveError `NOT_FOUND`, `CORRUPT`, `UNSUPPORTED`, `INVALID` for what is no disk, `IO`
 */
export async function readImageFile(path: string, format?: string): Promise<ImageFile> {
  const real = await realPath(path);
  await finishCommitFirst(real);
  const { blocks, mtimeMs } = await fs.stat(real);
  await using file = await openFileDevice(real, { readOnly: true, label: path });
  const chosen = format === undefined ? await probeFormat(file, path) : formatNamed(format);
  const header = chosen.name === 'qcow2' ? await readHeader(file, path) : undefined;
  const information = header === undefined ? await informationOf(file, path, chosen) : summaryOf(header, file.size);
  const stamp = header === undefined ? undefined : stampIn(header);
  const extras = header === undefined ? [] : extrasOf(header);
  return { path: real, information, stamp, extras, allocatedSize: blocks * 512, modified: mtimeMs };
}

/** Where a file really is. @throws VarveError `NOT_FOUND`, `PERMISSION` */
export async function realPath(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

/** The path of the file that the image at `path` names, which need not be there; undefined for what is no file name. */
export function backingPath(path: string, { name }: BackingReference): string | undefined {
  const file = name.startsWith('file:') ? name.slice('file:'.length) : name;
  return /^[a-z][a-z0-9+.-]*:/i.test(file) ? undefined : resolve(dirname(path), file);
}

/** What the header alone tells, which is all that histories need. */
function summaryOf(header: Qcow2Header, fileSize: number): FormatInformation {
  const { backingFile: name, clusterBits, cryptMethod, size: virtualSize, snapshotCount } = header;
  return {
    ...{ format: 'qcow2', virtualSize, fileSize, snapshotCount, clusterSize: 2 ** clusterBits },
    ...(name === undefined ? {} : { backing: { name, format: backingFormatOf(header) } }),
    ...(cryptMethod === 0 ? {} : { encryption: cryptMethod === 1 ? 'AES' : 'LUKS' }),
  };
}

function extrasOf(header: Qcow2Header): string[] {
  return [
    ...(header.snapshotCount > 0 ? ['snapshots'] : []),
    ...((header.autoclearFeatures & autoclearFeature.bitmaps) !== 0n ? ['dirty bitmaps'] : []),
    ...(header.cryptMethod !== 0 ? ['encrypted content'] : []),
    ...(hasFeature(header, 'externalDataFile') ? ['an external data file'] : []),
  ];
}

/** Opens it with nothing beneath: what it says of itself does not depend on that. */
async function informationOf(file: BlockDevice, path: string, format: ImageFormat): Promise<FormatInformation> {
  const opened = await format.open(file, { name: path, openBacking: async () => memoryDevice(0) });
  return opened.information();
}

function stampIn(header: Qcow2Header): ContentStamp | undefined {
  const data = extensionData(header.extensions, contentStampType);
  try {
    return data === undefined ? undefined : decodeContentStamp(data);
  } catch {
    // A damaged stamp says as much as none.
    return undefined;
  }
}

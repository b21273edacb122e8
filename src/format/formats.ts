import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { foreignFormat } from './foreign-formats.ts';
import type { FormatDevice, ImageFormat, InternalSnapshots, OpenImageOptions, WritableFormat } from './image-format.ts';
import { ovaFormat } from './ova/ova.ts';
import { parallelsFormat } from './parallels/parallels.ts';
import { qcow1Format } from './qcow1/qcow1.ts';
import { qcow2Format } from './qcow2/qcow2.ts';
import { qedFormat } from './qed/qed.ts';
import { rawFormat } from './raw.ts';
import { vdiFormat } from './vdi/vdi.ts';
import { vhdFormat } from './vhd/vhd.ts';
import { vhdxFormat } from './vhdx/vhdx.ts';
import { vmdkFormat } from './vmdk/vmdk.ts';

/** Those whose files are disks by themselves. */
const diskFormats: readonly ImageFormat[] = [
  vhdFormat,
  vhdxFormat,
  vdiFormat,
  qedFormat,
  parallelsFormat,
  vmdkFormat,
  qcow1Format,
  qcow2Format,
  rawFormat,
];

/** Every disk file format that can be read and written. */
export const imageFormats: readonly ImageFormat[] = [ovaFormat(diskFormats), ...diskFormats];

/** How `openImage` opens. */
export interface OpenImageFileOptions extends OpenImageOptions {
  /** The name of the format; looked for in the content where it is not given. */
  readonly format?: string | undefined;
  /** The name or id of a snapshot inside the file: the disk as it was then, to be read. */
  readonly internalSnapshot?: string | undefined;
}

const headLength = 65536;
const tailLength = 512;

/**
 * The format that has that name, or that alias.
 *
 * @throws VarveError `INVALID` where there is none
 */
export function formatNamed(name: string): ImageFormat {
  const found = imageFormats.find((format) => format.name === name || format.aliases?.includes(name));
  if (found !== undefined) return found;
  const names = imageFormats.map((format) => format.name).join(', ');
  throw new VarveError('INVALID', `there is no disk format ${JSON.stringify(name)} here; there are ${names}`);
}

/**
 * The format of that name, if it can be written.
 *
 * @throws VarveError `INVALID` where there is none, `UNSUPPORTED` for one that is only read
 */
export function writableFormatNamed(name: string): WritableFormat {
  const format = formatNamed(name);
  if (isWritable(format)) return format;
  const names = imageFormats.filter(isWritable).map((each) => each.name);
  throw new VarveError('UNSUPPORTED', `${name} images are read here, not written; choose ${names.join(', ')}`);
}

function isWritable(format: ImageFormat): format is WritableFormat {
  return format.write !== undefined;
}

/** The format that files with the ending of `path` usually have; undefined where nobody claims it. */
export function formatForPath(path: string): ImageFormat | undefined {
  const ending = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase();
  return imageFormats.find((format) => ending !== undefined && format.extensions.includes(ending));
}

/**
 * The format that a file's content has; what no other format claims is raw. `name` is the file's in errors.
 *
 * @throws VarveError `UNSUPPORTED` where it is known to be what cannot be read here: a VMDK image, a compressed file
 */
export async function probeFormat(file: BlockDevice, name: string): Promise<ImageFormat> {
  const head = new Uint8Array(Math.min(headLength, file.size));
  const tail = new Uint8Array(Math.min(tailLength, file.size));
  if (file.size > 0) {
    await file.read(head, 0);
    await file.read(tail, file.size - tail.length);
  }
  const sure = imageFormats.map((format) => ({ format, confidence: format.probe(head, file.size, tail) }));
  const best = sure.reduce((first, second) => (second.confidence > first.confidence ? second : first));
  const foreign = best.format === rawFormat ? foreignFormat(head) : undefined;
  if (foreign === undefined) return best.format;
  throw new VarveError(
    'UNSUPPORTED',
    `cannot open ${name}: it is ${foreign}, which cannot be read here; name the format raw to take its bytes as they are`,
  );
}

/**
 * The disk in an image file. From the call on the file belongs to it: it is disposed of with the disk, or at once
 * where opening fails.
 *
 * @throws VarveError `INVALID` for an unknown format, `CORRUPT`, `UNSUPPORTED`, and `PERMISSION` for a backing file
 *   that nobody allowed
 */
export async function openImage(file: BlockDevice, options: OpenImageFileOptions): Promise<FormatDevice> {
  try {
    const { format, name } = options;
    const chosen = format === undefined ? await probeFormat(file, name) : formatNamed(format);
    if (options.internalSnapshot === undefined) return await chosen.open(file, options);
    if (options.writable) {
      throw new VarveError('INVALID', `cannot change a snapshot inside ${name}; varve restore makes it the disk again`);
    }
    return await internalSnapshotsOf(chosen, name).open(file, options.internalSnapshot, options);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * What can be done with the snapshots inside a file of a format; `name` is the file's in errors.
 *
 * @throws VarveError `UNSUPPORTED` where files of that format have none
 */
export function internalSnapshotsOf(
  { internalSnapshots, name: formatName }: ImageFormat,
  name: string,
): InternalSnapshots {
  if (internalSnapshots !== undefined) return internalSnapshots;
  const what = `${formatName} files have no snapshots inside that could be read here`;
  throw new VarveError('UNSUPPORTED', `cannot look into ${name} for a snapshot: ${what}`);
}

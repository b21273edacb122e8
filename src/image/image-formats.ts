import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { ImageFormat } from '../format/image-format.ts';
import { qcow2Format } from '../format/qcow2/qcow2.ts';
import { rawFormat } from '../format/raw.ts';
import { foreignFormat, foreignFormatNames } from './foreign-formats.ts';

/** The formats that disks are read from and written to. */
export const imageFormats: readonly ImageFormat[] = [qcow2Format, rawFormat];

/** Bytes from the start of a file that formats are told by. */
const headLength = 65_536;

/**
 * The format that `name` means, in either case.
 * @throws UNSUPPORTED for a format that others know, INVALID for no format at all
 */
export function formatNamed(name: string): ImageFormat {
  const wanted = name.toLowerCase();
  const format = imageFormats.find((each) => each.name === wanted);
  if (format !== undefined) return format;
  const names = imageFormats.map((each) => each.name).join(', ');
  if (foreignFormatNames.has(wanted)) {
    throw new VarveError('UNSUPPORTED', `the format ${wanted} is not supported yet; there are ${names}`);
  }
  throw new VarveError('INVALID', `there is no format ${JSON.stringify(name)}; there are ${names}`);
}

/**
 * The format that a file's content shows; what shows none is raw. `name` is the file's in errors.
 * @throws UNSUPPORTED for the formats of others and for packed files, which nobody means to read as a disk
 */
export async function probeFormat(file: BlockDevice, name: string): Promise<ImageFormat> {
  const head = new Uint8Array(Math.min(headLength, file.size));
  if (head.length > 0) await file.read(head, 0);
  const scored = imageFormats.map((format) => ({ format, score: format.probe(head, file.size) }));
  const best = scored.reduce((a, b) => (b.score > a.score ? b : a));
  if (best.format !== rawFormat) return best.format;
  const foreign = foreignFormat(head);
  if (foreign === undefined) return rawFormat;
  const advice = `it has to be ${foreign.advice} first, or give --format raw to take it byte for byte`;
  throw new VarveError(
    'UNSUPPORTED',
    `cannot open ${name}: it is ${foreign.name}, which is not supported yet; ${advice}`,
  );
}

import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FormatDevice, OpenImageOptions } from '../image-format.ts';
import { checkHeader } from './check-header.ts';
import type { Qcow2Header } from './header.ts';
import { Qcow2Device } from './qcow2-device.ts';
import { backingFormatOf } from './qcow2-information.ts';
import { readHeader } from './read-header.ts';

/**
 * The disk in a qcow2 image. One that says it is corrupt, or was not closed, can be read all the same.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it has a backing file and `openBacking` is not given
 */
export async function openQcow2(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  const header = await readHeader(file, name);
  checkHeader(header, file.size, name);
  const l1Table = new Uint8Array(header.l1Size * 8);
  if (l1Table.length > 0) await file.read(l1Table, header.l1TableOffset);
  const backing = await openBackingOf(header, options);
  return new Qcow2Device({ file, header, l1Table, backing, name });
}

async function openBackingOf(header: Qcow2Header, options: OpenImageOptions): Promise<BlockDevice | undefined> {
  if (header.backingFile === undefined) return undefined;
  if (options.openBacking !== undefined) return options.openBacking(header.backingFile, backingFormatOf(header));
  throw new VarveError(
    'PERMISSION',
    `cannot open ${options.name}: it builds on the file ${JSON.stringify(header.backingFile)}, and an image's word is no ` +
      'reason to open another file; allow backing files if you trust it',
  );
}

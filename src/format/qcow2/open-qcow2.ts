import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FormatDevice, OpenImageOptions } from '../image-format.ts';
import { checkHeader } from './check-header.ts';
import { decodeClusterSize, decodeHeader, preambleLength, type Qcow2Header } from './header.ts';
import { Qcow2Device } from './qcow2-device.ts';
import { backingFormatOf } from './qcow2-information.ts';

/**
 * The disk in a qcow2 image. One that says it is corrupt, or was not closed, can be read all the same.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it has a backing file and `openBacking` is not given
 */
export async function openQcow2(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  const clusterSize = decodeClusterSize(await readHead(file, preambleLength), name);
  const header = decodeHeader(await readHead(file, clusterSize), name);
  checkHeader(header, file.size, name);
  const l1Table = new Uint8Array(header.l1Size * 8);
  if (l1Table.length > 0) await file.read(l1Table, header.l1TableOffset);
  const backing = await openBackingOf(header, options);
  return new Qcow2Device({ file, header, l1Table, backing, name });
}

/** The first `length` bytes of a file, fewer where it has fewer. */
async function readHead(file: BlockDevice, length: number): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(length, file.size));
  if (head.length > 0) await file.read(head, 0);
  return head;
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

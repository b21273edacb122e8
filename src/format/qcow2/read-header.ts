import { type BlockDevice, isResizable } from '../../block/block-device.ts';
import { decodeClusterSize, decodeHeader, preambleLength, type Qcow2Header } from './header.ts';

/**
 * The header of the image in `file`, decoded and not checked (`checkHeader` does that). `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function readHeader(file: BlockDevice, name: string): Promise<Qcow2Header> {
  const clusterSize = decodeClusterSize(await readHead(file, preambleLength), name);
  const head = await readHead(file, clusterSize);
  // Since it was opened, the file may have got longer, and its header new tables behind what was its end.
  if (isResizable(file)) file.refreshSize?.();
  return decodeHeader(head, name);
}

/** The first `length` bytes of a file, fewer where it has fewer. */
async function readHead(file: BlockDevice, length: number): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(length, file.size));
  if (head.length > 0) await file.read(head, 0);
  return head;
}

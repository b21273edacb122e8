import type { BlockDevice } from '../../block/block-device.ts';

/** Up to `length` bytes of a file from `offset` on, fewer where it has fewer. */
export async function readBytes(file: BlockDevice, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, file.size - offset)));
  if (bytes.length > 0) await file.read(bytes, offset);
  return bytes;
}

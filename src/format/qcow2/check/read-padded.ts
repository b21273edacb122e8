import type { BlockDevice } from '../../../block/block-device.ts';

/** `length` bytes of a file from `offset` on, zeros from its end on; the caller has bounded `length`. */
export async function readPadded(file: BlockDevice, offset: number, length: number): Promise<DataView<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  const available = Math.min(length, file.size - offset);
  if (available > 0) await file.read(bytes.subarray(0, available), offset);
  return new DataView(bytes.buffer);
}

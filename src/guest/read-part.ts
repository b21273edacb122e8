import type { GuestFile } from './guest-tree.ts';

/** `length` bytes of a file from `offset` on, or as many as it has there. @throws VarveError `CORRUPT` */
export async function readPart(
  { fileSystem, node, stat }: Pick<GuestFile, 'fileSystem' | 'node' | 'stat'>,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, stat.size - offset)));
  return bytes.length === 0 ? bytes : bytes.subarray(0, await fileSystem.read(node, bytes, offset));
}

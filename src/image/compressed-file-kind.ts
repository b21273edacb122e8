import type { BlockDevice } from '../block/block-device.ts';

/** The programs whose files are unpacked on the way to the disk inside. */
export type CompressedFileKind = 'gzip' | 'xz' | 'zstd' | 'bzip2';

/** Enough for a skippable frame of some size before the first one of zstd. */
const headLength = 4096;

/** What a file is compressed with, by its content; undefined where it does not look compressed. */
export async function compressedFileKind(file: BlockDevice): Promise<CompressedFileKind | undefined> {
  const head = new Uint8Array(Math.min(headLength, file.size));
  if (head.length > 0) await file.read(head, 0);
  return kindOfHead(Buffer.from(head.buffer));
}

/** Source: RFC 1952, section 2.3; The .xz File Format, section 2.1.1.1; RFC 8878, section 3.1; bzip2's manual. */
function kindOfHead(head: Buffer): CompressedFileKind | undefined {
  if (head.length < 10) return undefined;
  if (head.readUIntBE(0, 3) === 0x1f8b08) return 'gzip';
  if (head.readUIntBE(0, 6) === 0xfd377a585a00) return 'xz';
  if (isZstd(head)) return 'zstd';
  // The first block's magic, or that of the end of an empty file.
  const block = head.readUIntBE(4, 6);
  return /^BZh[1-9]/.test(head.toString('latin1', 0, 4)) && (block === 0x314159265359 || block === 0x177245385090)
    ? 'bzip2'
    : undefined;
}

/** Parallel compressors put frames that are skipped before each that is not. */
function isZstd(head: Buffer): boolean {
  for (let position = 0; position + 8 <= head.length; position += 8 + head.readUInt32LE(position + 4)) {
    const magic = head.readUInt32LE(position);
    if (magic === 0xfd2fb528) return true;
    if (Math.floor(magic / 16) !== 0x0184d2a5) return false;
  }
  return false;
}

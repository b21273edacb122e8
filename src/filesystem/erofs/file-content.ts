/*
 * Where a file's bytes are, by its layout. Plain: in blocks that follow each other, the last of which may stand behind the
 * inode and its attributes instead. In chunks: i_u has, in bits 0–4, log2 of how many blocks a chunk has, and bit 5 where
 * the map behind the attributes has records of 8 bytes (device 16 bit at 2, block at 4), else of 4 (block). Block ffffffff
 * is a hole. What is compressed has an index of its own (compressed-header.ts, cluster-index.ts).
 *
 * Source: Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst.
 */
import { alignUp } from '../../bytes/align.ts';
import type { FileExtent } from '../file-system.ts';
import type { ReadPacked } from './compressed-content.ts';
import { type Inode, layouts } from './inode.ts';
import type { ErofsVolume } from './volume.ts';

const chunkBits = 0x1f;
const chunkIndexes = 0x20;
const hole = 0xffff_ffff;
/** Larger chunks than this would have more than 2^53 bytes. */
const mostChunkBits = 31;

/** A file, and the number by which errors name it. */
export interface ErofsFile {
  readonly node: number;
  readonly inode: Inode;
}

/** A run of a file's bytes in one piece; `place` is undefined for a hole. */
interface Run {
  readonly length: number;
  readonly place: number | undefined;
}

/** Reads from `offset` of a file until `target` is full or it ends; returns how many bytes. */
export async function readContent(
  volume: ErofsVolume,
  file: ErofsFile,
  target: Uint8Array,
  offset: number,
  readPacked: ReadPacked = (part, place) => readPackedInode(volume, part, place),
): Promise<number> {
  const { size } = file.inode.stat;
  const length = Math.max(0, Math.min(target.length, size - offset));
  if (isCompressed(file)) {
    await volume.compressed.read(file, target.subarray(0, length), offset, readPacked);
    return length;
  }
  for (let done = 0; done < length; ) {
    const run = await runAt(volume, file, offset + done);
    const part = target.subarray(done, done + Math.min(run.length, length - done));
    if (run.place === undefined) part.fill(0);
    else await volume.read(part, run.place, `inode ${file.node}`);
    done += part.length;
  }
  return length;
}

async function readPackedInode(volume: ErofsVolume, target: Uint8Array, offset: number): Promise<void> {
  const node = volume.superblock.packedNode;
  if (node === 0) throw volume.corrupt('a file has a fragment, and there is no packed inode');
  const inode = await volume.inode(node);
  const { kind, size } = inode.stat;
  if (kind !== 'file' || !(offset + target.length <= size)) {
    throw volume.corrupt(`a fragment at byte ${offset} is past the end of the packed inode ${node}`);
  }
  await readContent(volume, { node, inode }, target, offset, () => {
    throw volume.corrupt(`the packed inode ${node} has fragments itself`);
  });
}

function isCompressed({ inode: { layout } }: ErofsFile): boolean {
  return layout === layouts.compressedFull || layout === layouts.compressedCompact;
}

/** The runs of a file, neighbours of one kind in one. */
export async function* extentsOf(volume: ErofsVolume, file: ErofsFile): AsyncGenerator<FileExtent> {
  const { size } = file.inode.stat;
  if (isCompressed(file)) {
    if (size > 0) yield { offset: 0, length: size, kind: 'data' };
    return;
  }
  let last: FileExtent | undefined;
  for (let offset = 0; offset < size; ) {
    const { length, place } = await runAt(volume, file, offset);
    const next: FileExtent = { offset, length, kind: place === undefined ? 'hole' : 'data', place };
    const follows = last?.kind === next.kind && (place === undefined || last.place! + last.length === place);
    if (last !== undefined && !follows) yield last;
    last = follows ? { ...last!, length: last!.length + length } : next;
    offset += length;
  }
  if (last !== undefined) yield last;
}

/** The run from byte `offset` of a file on, which is inside it. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
async function runAt(volume: ErofsVolume, file: ErofsFile, offset: number): Promise<Run> {
  const { node, inode } = file;
  if (inode.layout === layouts.chunks) return await chunkRun(volume, file, offset);
  const { blockSize } = volume.superblock;
  const { size } = inode.stat;
  const tail = inode.layout === layouts.inline ? (Math.ceil(size / blockSize) - 1) * blockSize : size;
  if (offset < tail) return { length: tail - offset, place: inode.start * blockSize + offset };
  const place = inode.attributes.place + inode.attributes.length + offset - tail;
  const isInBlock = (place % blockSize) + size - offset <= blockSize;
  if (!isInBlock) throw volume.corrupt(`the end of inode ${node} behind it goes over the end of a block`);
  return { length: size - offset, place };
}

async function chunkRun(volume: ErofsVolume, { node, inode }: ErofsFile, offset: number): Promise<Run> {
  const { blockSize } = volume.superblock;
  const bits = inode.start & chunkBits;
  if (bits > mostChunkBits || inode.start >>> 6 !== 0) throw volume.corrupt(`inode ${node} has chunks of no kind`);
  const chunkSize = blockSize * 2 ** bits;
  const index = Math.floor(offset / chunkSize);
  const hasIndexes = (inode.start & chunkIndexes) !== 0;
  const width = hasIndexes ? 8 : 4;
  const map = alignUp(inode.attributes.place + inode.attributes.length, width);
  const view = await volume.metadata(map + index * width, width, `the chunks of inode ${node}`);
  const block = view.getUint32(hasIndexes ? 4 : 0, true);
  const length = Math.min(inode.stat.size, (index + 1) * chunkSize) - offset;
  if (block === hole) return { length, place: undefined };
  if (hasIndexes && view.getUint16(2, true) !== 0) throw volume.unsupported(`inode ${node} is on another device`);
  return { length, place: block * blockSize + (offset % chunkSize) };
}

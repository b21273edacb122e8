import { type Chunk, chunkLengthAt, decodeChunk } from './chunk.ts';
import { decodeKey, itemTypes, keyLength, largestOffset, objectIds } from './key.ts';
import { viewOf } from './little-endian.ts';
import { DiskTree } from './tree.ts';
import type { BtrfsVolume } from './volume.ts';

/** More chunks than any disk has. */
const mostChunks = 1 << 20;

/**
 * Reads where everything is: the superblock has the chunks in which the tree of all chunks is.
 *
 * @throws VarveError `CORRUPT`
 */
export async function readChunks(volume: BtrfsVolume): Promise<void> {
  const { superblock, chunks } = volume;
  chunks.replace(systemChunks(volume));
  const tree = new DiskTree(volume, superblock.chunks, 'the tree of chunks');
  const found: Chunk[] = [];
  const from = { objectid: objectIds.firstChunk, type: itemTypes.chunk, offset: 0 };
  for await (const { key, view } of tree.items(from, { ...from, offset: largestOffset })) {
    if (found.length >= mostChunks) throw volume.unsupported(`it has more than ${mostChunks} chunks`);
    found.push(chunkAt(volume, view, { at: 0, start: key.offset }));
  }
  chunks.replace(found);
}

function systemChunks(volume: BtrfsVolume): Chunk[] {
  const view = viewOf(volume.superblock.systemChunks);
  const found: Chunk[] = [];
  for (let at = 0; at < view.byteLength; ) {
    if (at + keyLength > view.byteLength) throw volume.corrupt(`the system chunks end in the key at byte ${at}`);
    const { type, offset } = decodeKey(view, at);
    if (type !== itemTypes.chunk) throw volume.corrupt(`the system chunks have an item of type ${type} at byte ${at}`);
    found.push(chunkAt(volume, view, { at: at + keyLength, start: offset }));
    at += keyLength + chunkLengthAt(view, at + keyLength);
  }
  return found;
}

function chunkAt(
  volume: BtrfsVolume,
  view: DataView,
  { at, start }: { readonly at: number; readonly start: number },
): Chunk {
  const length = chunkLengthAt(view, at);
  const chunk = length === 0 ? 'is cut off' : decodeChunk(view, at, start);
  if (typeof chunk === 'string') throw volume.corrupt(`chunk ${start} ${chunk}`);
  return chunk;
}

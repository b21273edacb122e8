import { VarveError } from '../base/varve-error.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { chunkSize, isZeroName, nameLength, zeroName } from './chunk.ts';

// A map (docs/formats/store.md, "Maps"): a tree whose leaves name 512 chunks each and whose other nodes name 512
// nodes each. A node is the concatenation of its names without the zero names at its end; a node of zero names only
// has the zero name and no body. Above the tree stands the root record, 64 bytes, integers little-endian:
//
//   0 magic "varvmap1" | 8 size u64 | 16 chunk_size u32 | 20 depth u32 | 24 top 32 | 56 zeros 8

/** Names a node holds at most. */
export const fanout = 512;
export const maximumNodeLength = fanout * nameLength;
const rootLength = 64;
const rootMagic = 'varvmap1';
const maximumDepth = 5;

/** The whole of a disk's content: its size in bytes, and the tree of `depth` levels of nodes under `top`. */
export interface RootRecord {
  readonly size: number;
  readonly depth: number;
  readonly top: Uint8Array;
}

/** The levels of nodes that a disk of `size` bytes needs: 1 up to 32 MiB, 2 up to 16 GiB, 3 up to 8 TiB. */
export function depthFor(size: number): number {
  let depth = 1;
  for (let reach = fanout * chunkSize; reach < size; reach *= fanout) depth += 1;
  return depth;
}

export function encodeRoot(root: RootRecord): Uint8Array {
  const writer = new ByteWriter(rootLength);
  writer.utf8(rootMagic);
  writer.u64le(root.size);
  writer.u32le(chunkSize);
  writer.u32le(root.depth);
  writer.put(root.top);
  return writer.bytes;
}

/** @throws CORRUPT, or UNSUPPORTED for another chunk size */
export function decodeRoot(bytes: Uint8Array, what: string): RootRecord {
  const reader = new ByteReader(bytes, what);
  const magic = Buffer.from(reader.bytes(8)).toString('latin1');
  if (magic !== rootMagic || bytes.length !== rootLength) throw new VarveError('CORRUPT', `${what}: is no root record`);
  const size = reader.u64le();
  const recordedChunkSize = reader.u32le();
  const depth = reader.u32le();
  if (recordedChunkSize !== chunkSize) {
    throw new VarveError('UNSUPPORTED', `${what}: chunks of ${recordedChunkSize} bytes are not supported`);
  }
  if (depth > maximumDepth || depth !== depthFor(size)) {
    throw new VarveError('CORRUPT', `${what}: a depth of ${depth} does not fit ${size} bytes`);
  }
  return { size, depth, top: reader.bytes(nameLength).slice() };
}

/** The node of `count` names that stand in `names`; `undefined` when all of them are zero. */
export function encodeNode(names: Uint8Array, count: number): Uint8Array | undefined {
  let end = count;
  while (end > 0 && isZeroName(nameIn(names, end - 1))) end -= 1;
  return end === 0 ? undefined : names.slice(0, end * nameLength);
}

/** @throws CORRUPT when bytes of this length cannot be a node */
export function checkNode(node: Uint8Array, what: string): void {
  const { length } = node;
  if (length > 0 && length <= maximumNodeLength && length % nameLength === 0) return;
  throw new VarveError('CORRUPT', `${what}: ${length} bytes are no map node`);
}

/** The name at `index` of a node, the zero name past its end. */
export function nameIn(node: Uint8Array, index: number): Uint8Array {
  const start = index * nameLength;
  return start < node.length ? node.subarray(start, start + nameLength) : zeroName;
}

/** The chunks that one name at `level` stands for: 1 at level 0 (a chunk), 512 at level 1 (a leaf node), … */
export function chunksUnder(level: number): number {
  return fanout ** level;
}

import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { chunkSize, isZeroName } from './chunk.ts';
import type { BodySource } from './chunk-reader.ts';
import type { ContentMap } from './content-map.ts';
import { fanout, nameIn } from './map-format.ts';

/**
 * A content as a read-only disk. Reading costs the same whatever its history: a map covers the whole disk.
 * `release` is called once, when the device is disposed of.
 */
export function snapshotDevice(map: ContentMap, source: BodySource, release: () => MaybePromise<void>): BlockDevice {
  let released = false;
  return {
    size: map.size,
    blockSize: chunkSize,
    supports: { write: false, trim: false, zero: false, extents: true },
    read: (target, offset) => readChunks(map, source, target, offset, 0),
    write: refuse,
    zero: refuse,
    trim: refuse,
    flush() {},
    extents: (offset, length) => extents(map, offset, length),
    async [Symbol.asyncDispose]() {
      if (released) return;
      released = true;
      await release();
    },
  };
}

function refuse(): never {
  throw new VarveError('READ_ONLY', 'cannot write to a snapshot: snapshots are read-only; clone it first');
}

/** Hot: no promise as long as map and chunks are at hand (bench/read.ts). `done` bytes of `target` are filled. */
function readChunks(
  map: ContentMap,
  source: BodySource,
  target: Uint8Array,
  offset: number,
  done: number,
): MaybePromise<void> {
  let filled = done;
  while (filled < target.length) {
    const position = offset + filled;
    const chunkIndex = Math.floor(position / chunkSize);
    const start = position - chunkIndex * chunkSize;
    const length = Math.min(chunkSize - start, target.length - filled);
    const part = target.subarray(filled, filled + length);
    const waiting = readChunk(map, source, chunkIndex, start, part);
    filled += length;
    if (waiting !== undefined) {
      const next = filled;
      return waiting.then(() => readChunks(map, source, target, offset, next));
    }
  }
}

function readChunk(
  map: ContentMap,
  source: BodySource,
  chunkIndex: number,
  start: number,
  part: Uint8Array,
): MaybePromise<void> {
  const leaf = map.leafAt(chunkIndex);
  if (leaf instanceof Promise) return leaf.then((loaded) => copyFrom(source, loaded, chunkIndex, start, part));
  return copyFrom(source, leaf, chunkIndex, start, part);
}

function copyFrom(
  source: BodySource,
  leaf: Uint8Array | undefined,
  chunkIndex: number,
  start: number,
  part: Uint8Array,
): MaybePromise<void> {
  const name = leaf === undefined ? undefined : nameIn(leaf, chunkIndex % fanout);
  if (name === undefined || isZeroName(name)) {
    part.fill(0);
    return;
  }
  const chunk = source.get(name);
  if (chunk instanceof Promise) return chunk.then((loaded) => copyPart(loaded, start, part));
  copyPart(chunk, start, part);
}

function copyPart(chunk: Uint8Array, start: number, part: Uint8Array): void {
  if (chunk.length !== chunkSize) {
    throw new VarveError('CORRUPT', `map: a chunk of ${chunk.length} bytes where ${chunkSize} are due`);
  }
  part.set(chunk.subarray(start, start + part.length));
}

async function* extents(map: ContentMap, offset: number, length: number): AsyncIterable<Extent> {
  const end = offset + length;
  const endChunk = Math.ceil(end / chunkSize);
  for await (const run of map.runs(Math.floor(offset / chunkSize), endChunk)) {
    const from = Math.max(offset, run.chunkIndex * chunkSize);
    const to = Math.min(end, (run.chunkIndex + run.chunkCount) * chunkSize);
    yield { offset: from, length: to - from, kind: run.isZero ? 'hole' : 'data' };
  }
}

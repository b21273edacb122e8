import { setImmediate } from 'node:timers/promises';
import type { BlockDevice } from '../../block/block-device.ts';
import type { BlockStates } from '../../filter/block-states.ts';
import { chunkSize } from '../chunk.ts';
import type { ContentMap } from '../content-map.ts';
import { type Content, dataPieces, ingestPiece, type WorkOptions } from '../ingest-device.ts';
import type { IngestSession } from '../ingest-session.ts';
import { MapBuilder } from '../map-builder.ts';
import { throwIfAborted } from '../throw-if-aborted.ts';
import { overlayBlockSize } from './map-header.ts';

const blocksPerChunk = chunkSize / overlayBlockSize;
/** Pieces between two looks at signals and timers. */
const piecesPerTurn = 16;

/** A disk that differs from a content in blocks that overlays hold. */
export interface ChangedDisk {
  readonly device: BlockDevice;
  /** The content without the changes, of a disk of the same size. */
  readonly base: ContentMap;
  /** The chunks of `base` that are not zero, where that is known. */
  readonly baseDataChunks?: number | undefined;
  /** What each overlay holds. */
  readonly states: readonly BlockStates[];
}

/**
 * Brings a disk's content into the store, and reads only chunks in which an overlay holds something: all others, and
 * whole nodes of the map over them, keep their names. All of it is durable when this returns.
 * @throws ABORTED, NO_SPACE, CORRUPT, and what reading the disk throws
 */
export async function ingestChanges(session: IngestSession, disk: ChangedDisk, options: WorkOptions): Promise<Content> {
  const { base, device } = disk;
  const builder = new MapBuilder(device.size, (bytes, kind) => session.put(bytes, kind));
  const storedBefore = session.storedLength;
  const addedBefore = session.addedChunks;
  let dataChunks = disk.baseDataChunks ?? (await countData(base, 0, base.chunkCount));
  let turn = 0;
  for (const { start, end } of changedChunks(disk.states)) {
    await builder.appendUntil(start, base);
    dataChunks -= await countData(base, start, end);
    const offset = start * chunkSize;
    for await (const piece of dataPieces(device, offset, Math.min(end * chunkSize, device.size) - offset)) {
      throwIfAborted(options.signal);
      builder.appendZerosUntil(piece.chunkIndex);
      dataChunks += await ingestPiece(session, device, builder, piece);
      session.check();
      turn += 1;
      if (turn % piecesPerTurn === 0) await setImmediate();
    }
    builder.appendZerosUntil(end);
    options.onProgress?.(end * chunkSize);
  }
  await builder.appendUntil(base.chunkCount, base);
  const root = builder.finish();
  await session.settle();
  const statistics = {
    dataLength: dataChunks * chunkSize,
    addedLength: (session.addedChunks - addedBefore) * chunkSize,
    storedLength: session.storedLength - storedBefore,
  };
  return { root, size: device.size, statistics };
}

/** Chunks by their indexes, [start, end). */
interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

/** The chunks in which one of the overlays holds something, in order, neighbours joined. */
export function* changedChunks(all: readonly BlockStates[]): Iterable<ChunkRange> {
  const blockCount = Math.max(0, ...all.map((states) => states.blockCount));
  let run: ChunkRange | undefined;
  for (let position = 0; position < blockCount; ) {
    const first = Math.min(...all.map((states) => states.nextPresent(position, blockCount)));
    if (first === blockCount) break;
    const ends = all.map((states) => (states.get(first) === 'absent' ? first : states.runEnd(first, blockCount)));
    const start = Math.floor(first / blocksPerChunk);
    const end = Math.ceil(Math.max(...ends) / blocksPerChunk);
    if (run?.end === start) run = { start: run.start, end };
    else {
      if (run !== undefined) yield run;
      run = { start, end };
    }
    position = Math.min(end * blocksPerChunk, blockCount);
  }
  if (run !== undefined) yield run;
}

async function countData(map: ContentMap, start: number, end: number): Promise<number> {
  let count = 0;
  for await (const { chunkCount, isZero } of map.runs(start, end)) if (!isZero) count += chunkCount;
  return count;
}

import { setImmediate } from 'node:timers/promises';
import type { BlockDevice } from '../block/block-device.ts';
import { isZero } from '../bytes/is-zero.ts';
import { chunkSize, zeroName } from './chunk.ts';
import { nameOf } from './hash.ts';
import { type IngestSession, type NewChunk, pieceChunks } from './ingest-session.ts';
import type { SnapshotStatistics } from './manifest.ts';
import { MapBuilder } from './map-builder.ts';
import { throwIfAborted } from './throw-if-aborted.ts';

/** A disk's content in the store: the name of its root record, its size in bytes, and what it cost. */
export interface Content {
  readonly root: Uint8Array;
  readonly size: number;
  readonly statistics: SnapshotStatistics;
}

/** How long work reports and can be stopped. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of the disk that are dealt with. */
  readonly onProgress?: ((position: number) => void) | undefined;
}

/** Pieces between two looks at signals and timers: 16 MiB. */
const piecesPerTurn = 16;

/**
 * Brings a disk's content into the store: reads what is not a hole, names each chunk, and stores the ones it does
 * not have. All of it is durable when this returns.
 * @throws ABORTED, NO_SPACE, and what reading the disk throws
 */
export async function ingestDevice(
  session: IngestSession,
  device: BlockDevice,
  options: WorkOptions,
): Promise<Content> {
  const builder = new MapBuilder(device.size, (bytes, kind) => session.put(bytes, kind));
  const storedBefore = session.storedLength;
  const addedBefore = session.addedChunks;
  let dataChunks = 0;
  let turn = 0;
  for await (const piece of dataPieces(device)) {
    throwIfAborted(options.signal);
    builder.appendZerosUntil(piece.chunkIndex);
    dataChunks += await ingestPiece(session, device, builder, piece);
    session.check();
    turn += 1;
    if (turn % piecesPerTurn === 0) {
      await setImmediate();
      options.onProgress?.(piece.chunkIndex * chunkSize);
    }
  }
  const root = builder.finish();
  await session.settle();
  options.onProgress?.(device.size);
  return {
    root,
    size: device.size,
    statistics: {
      dataLength: dataChunks * chunkSize,
      addedLength: (session.addedChunks - addedBefore) * chunkSize,
      storedLength: session.storedLength - storedBefore,
    },
  };
}

interface Piece {
  readonly chunkIndex: number;
  readonly chunkCount: number;
}

/** The chunks of a range of whole chunks that hold data, 16 at a time at the most; a chunk is data when a byte of it is. */
export async function* dataPieces(device: BlockDevice, offset = 0, length = device.size): AsyncIterable<Piece> {
  let next = 0;
  if (length === 0) return;
  for await (const extent of device.extents(offset, length)) {
    if (extent.kind !== 'data') continue;
    const end = Math.ceil((extent.offset + extent.length) / chunkSize);
    let chunkIndex = Math.max(next, Math.floor(extent.offset / chunkSize));
    while (chunkIndex < end) {
      const chunkCount = Math.min(pieceChunks, end - chunkIndex);
      yield { chunkIndex, chunkCount };
      chunkIndex += chunkCount;
    }
    next = Math.max(next, end);
  }
}

/** Hot: names the chunks of a piece and sends the new ones to be packed. The number of chunks that are not zero. */
export async function ingestPiece(
  session: IngestSession,
  device: BlockDevice,
  builder: MapBuilder,
  piece: Piece,
): Promise<number> {
  const acquired = session.acquirePiece();
  const input = acquired instanceof Promise ? await acquired : acquired;
  const chunks: NewChunk[] = [];
  let newChunks: NewChunk[];
  try {
    await readPiece(device, piece, input);
    for (let index = 0; index < piece.chunkCount; index += 1) {
      const bytes = input.subarray(index * chunkSize, (index + 1) * chunkSize);
      const name = isZero(bytes) ? zeroName : nameOf(bytes);
      builder.append(name);
      if (name !== zeroName) chunks.push({ name, bytes });
    }
    newChunks = chunks.length === 0 ? chunks : session.claim(chunks);
  } catch (error) {
    session.releasePiece(input);
    throw error;
  }
  if (newChunks.length > 0) session.putPiece(input, newChunks);
  else session.releasePiece(input);
  return chunks.length;
}

async function readPiece(device: BlockDevice, piece: Piece, input: Uint8Array): Promise<void> {
  const offset = piece.chunkIndex * chunkSize;
  const length = Math.min(piece.chunkCount * chunkSize, device.size - offset);
  const reading = device.read(input.subarray(0, length), offset);
  if (reading !== undefined) await reading;
  // The last chunk of a disk is padded with zeros; the slot may hold an earlier piece's bytes there.
  input.fill(0, length, piece.chunkCount * chunkSize);
}

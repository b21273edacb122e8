import { crc32 } from 'node:zlib';
import { chunkSize } from './chunk.ts';
import { packBody } from './pack-body.ts';
import type { BodyMethod } from './pack-format.ts';

/** Chunks that a slot takes. */
export const slotChunks = 16;
/** For each chunk of a slot: its place in the input, then of its stored body the length, the CRC-32, the method. */
export const resultFields = 4;

const inputBytes = slotChunks * chunkSize;
const resultBytes = 4 * (1 + slotChunks * resultFields);
const slotBytes = 2 * inputBytes + resultBytes;

/** What a worker of the compress pool is started with: the slots, shared with the thread that reads the disk. */
export interface CompressWorkerData {
  readonly memory: SharedArrayBuffer;
}

/** A piece of a disk on its way into the store. */
export interface SlotViews {
  /** Up to 16 chunks as they were read. */
  readonly input: Uint8Array;
  /** The stored bodies, one after the other. */
  readonly output: Uint8Array;
  /** The number of chunks to pack, then `resultFields` numbers for each. */
  readonly results: Uint32Array;
}

export function allocateSlots(slotCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slotCount * slotBytes);
}

export function slotViews(memory: SharedArrayBuffer, slotIndex: number): SlotViews {
  const start = slotIndex * slotBytes;
  return {
    input: new Uint8Array(memory, start, inputBytes),
    output: new Uint8Array(memory, start + inputBytes, inputBytes),
    results: new Uint32Array(memory, start + 2 * inputBytes, resultBytes / 4),
  };
}

/** Packs the chunks that a slot's results list, in their order. */
export function compressSlot(memory: SharedArrayBuffer, slotIndex: number): void {
  const { input, output, results } = slotViews(memory, slotIndex);
  const count = results[0] as number;
  let position = 0;
  for (let index = 0; index < count; index += 1) {
    const field = 1 + index * resultFields;
    const start = (results[field] as number) * chunkSize;
    const body = packBody(input.subarray(start, start + chunkSize));
    output.set(body.bytes, position);
    position += body.bytes.length;
    results[field + 1] = body.bytes.length;
    results[field + 2] = crc32(body.bytes);
    results[field + 3] = body.method;
  }
}

/** The stored bodies of a packed slot, views into its output. */
export function* packedBodies(views: SlotViews): Iterable<{ bytes: Uint8Array; crc32: number; method: BodyMethod }> {
  const { output, results } = views;
  const count = results[0] as number;
  let position = 0;
  for (let index = 0; index < count; index += 1) {
    const field = 1 + index * resultFields;
    const length = results[field + 1] as number;
    yield {
      bytes: output.subarray(position, position + length),
      crc32: results[field + 2] as number,
      method: results[field + 3] as BodyMethod,
    };
    position += length;
  }
}

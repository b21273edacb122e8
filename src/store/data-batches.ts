import { isZeroName } from './chunk.ts';
import type { ContentMap } from './content-map.ts';
import { fanout, nameIn } from './map-format.ts';

/** Chunks that hold data, by where they are on the disk, and their names. */
export interface DataBatch {
  readonly chunkIndexes: readonly number[];
  readonly names: readonly Uint8Array[];
}

/** The chunks of a disk that hold data, from `startChunk` on and in order, at most `batchSize` at a time. */
export async function* dataBatches(map: ContentMap, startChunk: number, batchSize: number): AsyncGenerator<DataBatch> {
  let chunkIndexes: number[] = [];
  let names: Uint8Array[] = [];
  for await (const run of map.runs(startChunk, map.chunkCount)) {
    if (run.isZero) continue;
    for (let chunkIndex = run.chunkIndex; chunkIndex < run.chunkIndex + run.chunkCount; chunkIndex += 1) {
      const leaf = await map.leafAt(chunkIndex);
      const name = leaf === undefined ? undefined : nameIn(leaf, chunkIndex % fanout);
      if (name === undefined || isZeroName(name)) continue;
      chunkIndexes.push(chunkIndex);
      names.push(name);
      if (names.length < batchSize) continue;
      yield { chunkIndexes, names };
      chunkIndexes = [];
      names = [];
    }
  }
  if (names.length > 0) yield { chunkIndexes, names };
}

import { VarveError } from '../base/varve-error.ts';
import type { GuestFile } from './guest-tree.ts';

/** A run of a file's bytes that is not known to be zeros. */
export interface DataRun {
  readonly offset: number;
  readonly length: number;
}

/** What a file holds between its holes. */
export interface FileData {
  /** In order, apart from each other. */
  readonly runs: readonly DataRun[];
  /** Whether there are holes that are worth being kept. */
  readonly hasHoles: boolean;
}

/** A file in more pieces was made to be. */
const mostRuns = 2 ** 20;
/** Holes that are shorter, all together, in bytes, take nothing away. */
const leastHoles = 4096;

/** The runs of a file that hold data. @throws VarveError `CORRUPT`; `UNSUPPORTED` for far too many */
export async function dataRunsOf({ fileSystem, node, path, stat }: GuestFile): Promise<FileData> {
  const runs: DataRun[] = [];
  let dataLength = 0;
  for await (const { kind, length, offset } of fileSystem.extents(node)) {
    if (kind !== 'data') continue;
    dataLength += length;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) {
      runs[runs.length - 1] = { offset: last.offset, length: last.length + length };
      continue;
    }
    runs.push({ offset, length });
    if (runs.length > mostRuns) throw new VarveError('UNSUPPORTED', `${path} has over ${mostRuns} holes`);
  }
  return { runs, hasHoles: stat.size - dataLength >= leastHoles };
}

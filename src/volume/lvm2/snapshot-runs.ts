/*
 * A snapshot of a volume is kept beside it: chunks that have changed since, in the one or in the other, and a table of
 * them. The first chunk has a header; numbers are little-endian:
 *
 *   byte  0–3  "SnAp"                   8–11  version, 1
 *         4–7  1 where it is valid     12–15  length of a chunk, in sectors of 512 bytes
 *
 * Behind it stand areas: a chunk of entries, of 16 bytes each, and the chunks that they are about. An entry has the number
 * of a chunk of the snapshot (64 bits) and that of the chunk here that holds it (64 bits), which is 0 behind the last entry.
 *
 * Source: Linux, drivers/md/dm-snap-persistent.c (the layout), and Documentation/admin-guide/device-mapper/snapshot.rst.
 */
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { MappedRun } from '../mapped-device.ts';

/** What a snapshot is made of; its name is for messages. */
export interface SnapshotParts {
  readonly origin: BlockDevice;
  readonly changes: BlockDevice;
  readonly name: string;
}

const sectorLength = 512;
const mark = 'SnAp';
const entryLength = 16;
const smallestChunk = 4096;
const largestChunk = 2 ** 20;
/** 16 GiB in the smallest chunks. */
const mostEntries = 2 ** 22;

/**
 * Where the bytes of a snapshot are: with the origin, but for what has changed.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for one that ran over or is of another kind
 */
export async function snapshotRuns(parts: SnapshotParts): Promise<MappedRun[]> {
  const { changes, name, origin } = parts;
  const chunkLength = await readHeader(parts);
  const entries = await readEntries(changes, chunkLength, name);
  const runs: MappedRun[] = [];
  let end = 0;
  const originUpTo = (stop: number): void => {
    if (stop > end) runs.push({ length: stop - end, areas: [{ device: origin, offset: end }] });
    end = Math.max(end, stop);
  };
  for (const [chunk, place] of [...entries].sort(([one], [other]) => one - other)) {
    const start = chunk * chunkLength;
    if (start >= origin.size) throw corrupt(name, `it has chunk ${chunk}, which its origin does not have`);
    originUpTo(start);
    const length = Math.min(chunkLength, origin.size - start);
    runs.push({ length, areas: [{ device: changes, offset: place * chunkLength }] });
    end = start + length;
  }
  originUpTo(origin.size);
  return runs;
}

/** The length of its chunks, in bytes. */
async function readHeader({ changes, name }: SnapshotParts): Promise<number> {
  const header = Buffer.alloc(Math.min(sectorLength, changes.size));
  await changes.read(header, 0);
  if (header.length < entryLength || header.toString('latin1', 0, 4) !== mark) throw corrupt(name, 'it has no header');
  const [isValid, version, sectors] = [4, 8, 12].map((place) => header.readUInt32LE(place)) as [number, number, number];
  if (isValid !== 1) {
    throw new VarveError(
      'UNSUPPORTED',
      `cannot read ${name}: it is a snapshot that is not valid any more, as its room was used up`,
    );
  }
  if (version !== 1) throw new VarveError('UNSUPPORTED', `cannot read ${name}: it is a snapshot of version ${version}`);
  const length = sectors * sectorLength;
  if (length >= smallestChunk && length <= largestChunk && Number.isInteger(Math.log2(length))) return length;
  throw corrupt(name, `its chunks have ${length} bytes`);
}

/** Where changed chunks are, by their numbers. */
async function readEntries(changes: BlockDevice, chunkLength: number, name: string): Promise<Map<number, number>> {
  const entries = new Map<number, number>();
  const perArea = chunkLength / entryLength;
  const area = Buffer.alloc(chunkLength);
  for (let place = chunkLength; place + chunkLength <= changes.size; place += (perArea + 1) * chunkLength) {
    await changes.read(area, place);
    for (let index = 0; index < perArea; index += 1) {
      const [chunk, held] = [0, 8].map((at) => Number(area.readBigUInt64LE(index * entryLength + at))) as [
        number,
        number,
      ];
      if (held === 0) return entries;
      if (!(chunk <= Number.MAX_SAFE_INTEGER / chunkLength && (held + 1) * chunkLength <= changes.size)) {
        throw corrupt(name, `the entry at byte ${place + index * entryLength} leads past the end`);
      }
      entries.set(chunk, held);
      if (entries.size > mostEntries) {
        throw new VarveError('UNSUPPORTED', `cannot read ${name}: it is a snapshot with over ${mostEntries} changes`);
      }
    }
  }
  return entries;
}

function corrupt(name: string, why: string): VarveError {
  return new VarveError('CORRUPT', `cannot read the snapshot ${name}: ${why}`);
}

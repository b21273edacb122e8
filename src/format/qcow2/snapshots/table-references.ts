import { alignUp } from '../../../bytes/align.ts';
import { corruptImage } from '../../image-errors.ts';
import { hasFeature } from '../check-header.ts';
import { compressedLength, compressedOffset, hostOffsetOf, standardKind } from '../cluster-entry.ts';
import type { ImageFile } from '../image-file.ts';
import type { HostClusters } from '../refcounts.ts';
import { readTable } from './read-table.ts';

/** An L1 table, wherever it is. */
export interface L1Place {
  /** In bytes. */
  readonly offset: number;
  /** Entries, not bytes. */
  readonly size: number;
}

/** The clusters that an L1 table takes itself. */
export function ownClusters({ clusterSize }: ImageFile, { offset, size }: L1Place): HostClusters {
  return { first: offset / clusterSize, count: alignUp(size * 8, clusterSize) / clusterSize };
}

/**
 * The clusters that an L1 table refers to, through its L2 tables too, an L2 table at a time: those of a cluster that is
 * referred to several times come several times. Neighbours are joined.
 *
 * @throws VarveError `CORRUPT` for a table past the end of the file or inside a cluster
 */
export async function* referencesOf(
  image: ImageFile,
  place: L1Place,
): AsyncGenerator<readonly HostClusters[], undefined> {
  const { clusterSize } = image;
  const l1 = await readTable(image, place.offset, place.size * 8, 'L1 table');
  let tableCount = 0;
  for (let position = 0; position < l1.byteLength; position += 8) {
    const offset = hostOffsetOf(l1.getUint32(position), l1.getUint32(position + 4));
    if (offset === 0) continue;
    tableCount += 1;
    if (tableCount * clusterSize > image.file.size) throw damaged(image, 'an L1 table uses an L2 table twice');
    const l2 = await readTable(image, offset, clusterSize, 'L2 table');
    yield joined([{ first: offset / clusterSize, count: 1 }, ...entryReferences(image, l2)]);
  }
}

function joined(runs: readonly HostClusters[]): HostClusters[] {
  const result: HostClusters[] = [];
  for (const { count, first } of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.first + last.count === first) {
      result[result.length - 1] = { first: last.first, count: last.count + count };
    } else {
      result.push({ first, count });
    }
  }
  return result;
}

function* entryReferences(image: ImageFile, l2: DataView): Generator<HostClusters, undefined> {
  const { clusterSize, header } = image;
  const step = hasFeature(header, 'extendedL2') ? 16 : 8;
  const isExternal = hasFeature(header, 'externalDataFile');
  for (let position = 0; position < l2.byteLength; position += step) {
    const [high, low] = [l2.getUint32(position), l2.getUint32(position + 4)];
    const offset = hostOffsetOf(high, low);
    if (standardKind(high, low) === 'compressed') {
      const start = compressedOffset(high, low, header.clusterBits);
      const last = start + compressedLength(high, low, header.clusterBits) - 1;
      const first = Math.floor(start / clusterSize);
      yield { first, count: Math.floor(last / clusterSize) - first + 1 };
    } else if (offset !== 0 && !isExternal) {
      if (offset % clusterSize !== 0) throw damaged(image, `a cluster is at byte ${offset}, inside another`);
      yield { first: offset / clusterSize, count: 1 };
    }
  }
}

function damaged({ name }: ImageFile, why: string): Error {
  return corruptImage(name, `${why}; check and repair it first`);
}

import type { BlockDevice } from '../../block/block-device.ts';
import type { MappedExtent } from '../image-format.ts';
import { mapOf } from '../map-of.ts';
import { l2Coverage } from './check-header.ts';
import type { ImageFile } from './image-file.ts';
import type { L1Table } from './l1-table.ts';
import { L2Codec, type L2Entry } from './l2-entry.ts';
import type { TableCache } from './table-cache.ts';

/** What the map of an image is made from. */
export interface MapSources {
  readonly image: ImageFile;
  readonly l1: L1Table;
  readonly tables: TableCache;
  readonly backing: BlockDevice | undefined;
  /** Whether bytes of clusters are those of the disk; where they are not, being encrypted, nobody is told their place. */
  readonly isPlain: boolean;
  /** The file whose holes count as zeros, where it is worth asking for them. */
  readonly sparseFile: BlockDevice | undefined;
}

/** A run of this image, without what lies beneath. */
type OwnRun = Omit<MappedExtent, 'kind' | 'depth' | 'present'> & {
  readonly kind: 'data' | 'zero' | 'unallocated';
};

/** The runs of a range with where they come from, those that go on in one another joined. */
export async function* qcow2Map(sources: MapSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  let last: MappedExtent | undefined;
  for await (const run of mappedRuns(sources, offset, length)) {
    if (last !== undefined && goesOn(last, run)) last = { ...last, length: last.length + run.length };
    else {
      if (last !== undefined) yield last;
      last = run;
    }
  }
  if (last !== undefined) yield last;
}

async function* mappedRuns(sources: MapSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  for await (const run of ownRuns(sources, offset, length)) {
    const { kind, ...place } = run;
    if (kind === 'unallocated') yield* beneath(sources.backing, run);
    else if (kind === 'data' && run.hostOffset !== undefined) yield* dataRuns(sources, run, run.hostOffset);
    else yield { ...place, kind, depth: 0, present: true };
  }
}

/** Clusters of data, cut into those that the file holds and those that are holes in it. */
async function* dataRuns(sources: MapSources, run: OwnRun, hostOffset: number): AsyncGenerator<MappedExtent> {
  const { isPlain, sparseFile } = sources;
  const { offset, length } = run;
  const common = { depth: 0, present: true, compressed: false };
  if (!isPlain) yield { ...common, offset, length, kind: 'data' };
  else if (sparseFile === undefined) yield { ...common, offset, length, kind: 'data', hostOffset };
  else {
    const shift = hostOffset - offset;
    const fileEnd = Math.max(hostOffset, Math.min(hostOffset + length, sparseFile.size));
    if (fileEnd > hostOffset) {
      for await (const extent of sparseFile.extents(hostOffset, fileEnd - hostOffset)) {
        const kind = extent.kind === 'data' ? 'data' : 'zero';
        yield { ...common, offset: extent.offset - shift, length: extent.length, kind, hostOffset: extent.offset };
      }
    }
    const missing = hostOffset + length - fileEnd;
    if (missing > 0) yield { ...common, offset: fileEnd - shift, length: missing, kind: 'zero', hostOffset: fileEnd };
  }
}

async function* beneath(backing: BlockDevice | undefined, { kind, ...run }: OwnRun): AsyncGenerator<MappedExtent> {
  const end = run.offset + run.length;
  const backedEnd = Math.max(run.offset, Math.min(end, backing?.size ?? 0));
  if (backing !== undefined) {
    for await (const extent of mapOf(backing, run.offset, backedEnd - run.offset)) {
      yield { ...extent, depth: extent.depth + 1 };
    }
  }
  if (backedEnd >= end) return;
  const { hostOffset } = run;
  const place = hostOffset === undefined ? {} : { hostOffset: hostOffset + backedEnd - run.offset };
  const rest = { offset: backedEnd, length: end - backedEnd, compressed: false };
  yield { ...rest, ...place, kind: 'hole', depth: 0, present: false };
}

async function* ownRuns(sources: MapSources, offset: number, length: number): AsyncGenerator<OwnRun> {
  const { image, l1, tables } = sources;
  const coverage = l2Coverage(image.header);
  const codec = new L2Codec(image);
  const end = offset + length;
  for (let position = offset; position < end; ) {
    let tableEnd = Math.min(end, position - (position % coverage) + coverage);
    const tableOffset = l1.offsetOf(Math.floor(position / coverage));
    if (tableOffset === 0) {
      // A sparse disk of any size has few runs.
      while (tableEnd < end && l1.offsetOf(tableEnd / coverage) === 0) tableEnd = Math.min(end, tableEnd + coverage);
      yield { offset: position, length: tableEnd - position, kind: 'unallocated', compressed: false };
    } else {
      const table = await tables.get(tableOffset);
      yield* runsOfTable(table, codec, { offset: position, end: tableEnd, coverage, clusterSize: image.clusterSize });
    }
    position = tableEnd;
  }
}

function* runsOfTable(
  table: DataView,
  codec: L2Codec,
  range: { readonly offset: number; readonly end: number; readonly coverage: number; readonly clusterSize: number },
): Generator<OwnRun, undefined> {
  const unitSize = range.clusterSize / codec.unitCount;
  let run: OwnRun | undefined;
  for (let position = range.offset; position < range.end; ) {
    const stop = Math.min(range.end, position - (position % unitSize) + unitSize);
    const entry = codec.decode(table, Math.floor((position % range.coverage) / range.clusterSize));
    const next = unitRun(entry, position, stop - position, range.clusterSize, unitSize);
    if (run !== undefined && continues(run, next)) run = { ...run, length: run.length + next.length };
    else {
      if (run !== undefined) yield run;
      run = next;
    }
    position = stop;
  }
  if (run !== undefined) yield run;
}

function unitRun(entry: L2Entry, offset: number, length: number, clusterSize: number, unitSize: number): OwnRun {
  if (entry.compressed !== undefined) return { offset, length, kind: 'data', compressed: true };
  const unit = Math.floor((offset % clusterSize) / unitSize);
  const has = (bits: number): boolean => ((bits >>> unit) & 1) === 1;
  const kind = has(entry.zeros) ? 'zero' : has(entry.allocated) ? 'data' : 'unallocated';
  if (entry.hostOffset === undefined) return { offset, length, kind, compressed: false };
  return { offset, length, kind, compressed: false, hostOffset: entry.hostOffset + (offset % clusterSize) };
}

function continues(run: OwnRun, next: OwnRun): boolean {
  return run.kind === next.kind && run.compressed === next.compressed && isNextPlace(run, next);
}

function goesOn(run: MappedExtent, next: MappedExtent): boolean {
  const isAlike = run.kind === next.kind && run.present === next.present && run.compressed === next.compressed;
  return isAlike && run.depth === next.depth && isNextPlace(run, next);
}

function isNextPlace(run: OwnRun | MappedExtent, next: OwnRun | MappedExtent): boolean {
  if (run.hostOffset === undefined || next.hostOffset === undefined) return run.hostOffset === next.hostOffset;
  return run.hostOffset + run.length === next.hostOffset;
}

import type { FileExtent } from '../filesystem/file-system.ts';
import type { ComparedFile } from './file-change.ts';

/** Whether the bytes of the device at a place are the same on both sides. */
export type IsUnchanged = (place: number, length: number) => boolean;

const pieceLength = 1 << 18;

/** Whether two files of one size hold the same. What lies in the same place, unchanged, is not read. */
export async function sameContent(a: ComparedFile, b: ComparedFile, isUnchanged: IsUnchanged): Promise<boolean> {
  if (a.stat.size !== b.stat.size) return false;
  const pieces = [new Uint8Array(pieceLength), new Uint8Array(pieceLength)] as const;
  for await (const { offset, length } of doubtfulRanges(a, b, isUnchanged)) {
    for (let at = offset; at < offset + length; at += pieceLength) {
      const wanted = Math.min(pieceLength, offset + length - at);
      const [partA, partB] = [pieces[0].subarray(0, wanted), pieces[1].subarray(0, wanted)];
      const lengthA = await a.fileSystem.read(a.node, partA, at);
      const lengthB = await b.fileSystem.read(b.node, partB, at);
      if (lengthA !== lengthB || Buffer.compare(partA.subarray(0, lengthA), partB.subarray(0, lengthB)) !== 0)
        return false;
    }
  }
  return true;
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** The ranges of two files that have to be read to know, neighbours joined. */
async function* doubtfulRanges(a: ComparedFile, b: ComparedFile, isUnchanged: IsUnchanged): AsyncGenerator<Range> {
  let pending: Range | undefined;
  for await (const { offset, length, extentA, extentB } of commonExtents(a, b)) {
    if (isSameExtent(extentA, extentB, { offset, length }, isUnchanged)) continue;
    if (pending !== undefined && pending.offset + pending.length === offset) {
      pending = { offset: pending.offset, length: pending.length + length };
      continue;
    }
    if (pending !== undefined) yield pending;
    pending = { offset, length };
  }
  if (pending !== undefined) yield pending;
}

function isSameExtent(a: FileExtent, b: FileExtent, { offset, length }: Range, isUnchanged: IsUnchanged): boolean {
  if (a.kind !== 'data' && b.kind !== 'data') return true;
  if (a.kind !== b.kind || a.place === undefined || b.place === undefined) return false;
  const place = a.place + offset - a.offset;
  return place === b.place + offset - b.offset && isUnchanged(place, length);
}

interface CommonExtent extends Range {
  readonly extentA: FileExtent;
  readonly extentB: FileExtent;
}

/** Both files cut where one of them has a new extent. */
async function* commonExtents(a: ComparedFile, b: ComparedFile): AsyncGenerator<CommonExtent> {
  const iteratorB = b.fileSystem.extents(b.node)[Symbol.asyncIterator]();
  let extentB = await next(iteratorB);
  for await (const extentA of a.fileSystem.extents(a.node)) {
    const end = extentA.offset + extentA.length;
    for (let offset = extentA.offset; offset < end; ) {
      while (extentB !== undefined && extentB.offset + extentB.length <= offset) extentB = await next(iteratorB);
      // Past the extents of the other one is nothing: a hole.
      const other = extentB ?? { offset, length: end - offset, kind: 'hole' as const };
      const length = Math.min(end, other.offset + other.length) - offset;
      yield { offset, length, extentA, extentB: other };
      offset += length;
    }
  }
  await iteratorB.return?.();
}

async function next(extents: AsyncIterator<FileExtent>): Promise<FileExtent | undefined> {
  const { value, done } = await extents.next();
  return done ? undefined : value;
}

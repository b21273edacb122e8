import type { FormatDevice, MappedExtent } from '../../../src/format/image-format.ts';

/** A run as `qemu-img map --output=json` tells of it. */
export interface QemuExtent {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

/** What both tell of a run. What is undefined is not known of it. */
interface Run {
  readonly start: number;
  readonly length: number;
  readonly isData: boolean;
  readonly depth: number | undefined;
  readonly present: boolean | undefined;
  readonly hostOffset: number | undefined;
}

/**
 * The first place where our map of a disk is not qemu-img's, in a sentence; undefined where there is none. Holes of the
 * file in clusters of data are zeros to both, where they are looked for at all: QEMU does by the blocks that the file
 * has, and we do by its holes, which differ for a moment after writing.
 */
export async function mapDifference(disk: FormatDevice, theirs: readonly QemuExtent[]): Promise<string | undefined> {
  const mine = joined(await ourRuns(disk));
  const extents = theirs.filter(({ length }) => length > 0);
  const difference = firstDifference(mine, extents, disk.map !== undefined);
  const hasHoles = extents.some(({ data, zero }) => data && zero);
  if (difference === undefined || !hasHoles) return difference;
  const withoutHoles = extents.map((extent) => ({ ...extent, zero: extent.zero && !extent.data }));
  return firstDifference(mine, withoutHoles, disk.map !== undefined) === undefined ? undefined : difference;
}

function firstDifference(mine: readonly Run[], theirs: readonly QemuExtent[], knowsAll: boolean): string | undefined {
  const others = joined(theirs.map((extent) => theirRun(extent, knowsAll)));
  for (let index = 0; index < Math.max(mine.length, others.length); index += 1) {
    const [own, other] = [mine[index], others[index]];
    if (own === undefined || other === undefined || !isSame(own, other)) {
      return `run ${index} is ${JSON.stringify(own)} and should be ${JSON.stringify(other)}`;
    }
  }
  return undefined;
}

async function ourRuns(disk: FormatDevice): Promise<Run[]> {
  if (disk.size === 0) return [];
  if (disk.map !== undefined) return (await Array.fromAsync(disk.map(0, disk.size))).map(mappedRun);
  const extents = await Array.fromAsync(disk.extents(0, disk.size));
  const unknown = { depth: undefined, present: undefined, hostOffset: undefined };
  return extents.map(({ kind, length, offset }) => ({ start: offset, length, isData: kind === 'data', ...unknown }));
}

function mappedRun({ compressed, depth, hostOffset, kind, length, offset, present }: MappedExtent): Run {
  const place = compressed ? undefined : hostOffset;
  return { start: offset, length, isData: kind === 'data', depth, present, hostOffset: place };
}

function theirRun({ data, depth, length, offset, present, start, zero }: QemuExtent, knowsAll: boolean): Run {
  const isData = data && !zero;
  if (!knowsAll) return { start, length, isData, depth: undefined, present: undefined, hostOffset: undefined };
  return { start, length, isData, depth, present, hostOffset: offset };
}

function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && continues(last, run)) {
      result[result.length - 1] = { ...last, length: last.length + run.length };
    } else result.push(run);
  }
  return result;
}

function continues(last: Run, run: Run): boolean {
  const place = last.hostOffset === undefined ? undefined : last.hostOffset + last.length;
  return isAlike(last, run) && place === run.hostOffset;
}

function isSame(one: Run, other: Run): boolean {
  const places = one.start === other.start && one.length === other.length && isAlike(one, other);
  return places && one.hostOffset === other.hostOffset;
}

function isAlike(one: Run, other: Run): boolean {
  return one.isData === other.isData && one.depth === other.depth && one.present === other.present;
}

import { IntervalSet } from '../../bytes/interval-set.ts';
import type { LvmSegment, VolumeGroup } from './volume-group.ts';

/**
 * The extents of each physical volume that belong to logical ones, by the names that segments have for them; undefined
 * where a segment is not understood, or two share one.
 */
export function usedExtents(group: VolumeGroup): ReadonlyMap<string, IntervalSet> | undefined {
  const used = new Map([...group.physicalVolumes.keys()].map((name) => [name, new IntervalSet()]));
  for (const { segments } of group.logicalVolumes.values()) {
    for (const segment of segments) {
      const places = placesOf(segment, used);
      if (places === undefined) return undefined;
      for (const { count, first, name } of places) {
        const taken = used.get(name)!;
        if (taken.intersect(first, first + count).next().done !== true) return undefined;
        taken.add(first, first + count);
      }
    }
  }
  return used;
}

interface Place {
  readonly name: string;
  readonly first: number;
  readonly count: number;
}

/** Where a segment is on physical volumes; those made of other logical volumes are nowhere themselves. */
function placesOf(
  { extentCount, section, type }: LvmSegment,
  known: ReadonlyMap<string, unknown>,
): Place[] | undefined {
  const isStriped = type === 'striped' || type === 'linear';
  const places: Place[] = [];
  for (const [key, value] of section.values) {
    const list = typeof value === 'object' ? value : [value];
    if (!list.some((each) => typeof each === 'string' && known.has(each))) continue;
    if (!isStriped || key !== 'stripes') return undefined;
    const count = extentCount / (list.length / 2);
    for (let index = 0; index < list.length; index += 2) {
      const [name, first] = [list[index], list[index + 1]];
      if (typeof name !== 'string' || typeof first !== 'number' || !Number.isInteger(count)) return undefined;
      if (first < 0 || !Number.isSafeInteger(first + count)) return undefined;
      if (known.has(name)) places.push({ name, first, count });
    }
  }
  return places;
}

import { IntervalSet } from '../bytes/interval-set.ts';
import type { GuestVolume } from './guest-volume.ts';

/**
 * What of a volume lies in some ranges of its disk, in bytes of the volume; undefined where nobody knows where it has
 * its bytes.
 */
export function rangesInVolume({ length, placesOnDisk }: GuestVolume, disk: IntervalSet): IntervalSet | undefined {
  if (placesOnDisk === undefined) return undefined;
  const ranges = new IntervalSet();
  for (const { length: pieceLength, place, start } of placesOnDisk(0, length)) {
    if (place === undefined) continue;
    for (const part of disk.intersect(place, place + pieceLength)) {
      ranges.add(start + part.offset - place, start + part.end - place);
    }
  }
  return ranges;
}

/** Whether two volumes, of two states of a disk, have their bytes in the same places of it. */
export function haveSamePlaces(one: GuestVolume, other: GuestVolume): boolean {
  if (one.length !== other.length || one.placesOnDisk === undefined || other.placesOnDisk === undefined) return false;
  const others = other.placesOnDisk(0, other.length)[Symbol.iterator]();
  for (const { length, place } of one.placesOnDisk(0, one.length)) {
    const next = others.next().value;
    if (next?.place !== place || next?.length !== length) return false;
  }
  return true;
}

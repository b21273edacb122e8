import type { ImageTarget } from './image-target.ts';

/** The part of a target from byte `start` on, for a disk that is in one piece there; finishing it does nothing. */
export function shiftedTarget(target: ImageTarget, start: number): ImageTarget {
  const { capacity, seekable, zeroed } = target;
  return {
    seekable,
    zeroed,
    ...(capacity === undefined ? {} : { capacity: Math.max(0, capacity - start) }),
    write: (source, offset) => target.write(source, start + offset),
    zero: (offset, length) => target.zero(start + offset, length),
    finish: () => undefined,
  };
}

import { IntervalSet } from '../../bytes/interval-set.ts';
import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';
import type { StatusSource } from './nbd-export.ts';

/** The flag of a context `qemu:dirty-bitmap:…` for what is dirty. Source: QEMU docs/interop/nbd.txt. */
const dirty = 1;

/** A context that names ranges of a disk of `size` bytes, which are found once, when somebody asks first. */
export function dirtySource(
  find: () => AsyncIterable<{ readonly offset: number; readonly length: number }>,
  size: number,
): StatusSource {
  let finding: Promise<IntervalSet> | undefined;
  return async function* runs(offset, length): AsyncGenerator<StatusRun, undefined> {
    finding ??= rangesIn(find(), size);
    const ranges = await finding;
    const end = offset + length;
    let position = offset;
    for (const gap of ranges.gaps(offset, end)) {
      if (gap.offset > position) yield { length: gap.offset - position, flags: dirty };
      yield { length: gap.end - gap.offset, flags: 0 };
      position = gap.end;
    }
    if (position < end) yield { length: end - position, flags: dirty };
  };
}

async function rangesIn(
  ranges: AsyncIterable<{ readonly offset: number; readonly length: number }>,
  size: number,
): Promise<IntervalSet> {
  const found = new IntervalSet();
  for await (const { length, offset } of ranges) {
    if (offset < size) found.add(offset, Math.min(offset + length, size));
  }
  return found;
}

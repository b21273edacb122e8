import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';
import type { StatusSource } from './nbd-export.ts';

/** Runs in one reply: 64 KiB of them. */
const maximumRunCount = 4096;

/**
 * The runs that answer `BLOCK_STATUS`: neighbours of the same flags are one run. With `one` it is the first run alone.
 * Never empty, and never past the range.
 */
export async function statusRuns(
  source: StatusSource,
  { length, offset }: { readonly offset: number; readonly length: number },
  one: boolean,
): Promise<StatusRun[]> {
  const merged = new MergedRuns(one ? 1 : maximumRunCount);
  const found = source(offset, length);
  if (Symbol.iterator in found) {
    for (const run of found) if (!merged.add(run)) break;
  } else {
    for await (const run of found) if (!merged.add(run)) break;
  }
  return merged.runs;
}

class MergedRuns {
  readonly runs: { length: number; flags: number }[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False where there are enough. */
  add({ flags, length }: StatusRun): boolean {
    const last = this.runs.at(-1);
    if (last?.flags === flags) last.length += length;
    else if (this.runs.length === this.#limit) return false;
    else this.runs.push({ length, flags });
    return true;
  }
}

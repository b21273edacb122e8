import { fsyncSync } from 'node:fs';
import { VarveError } from '../../base/varve-error.ts';
import { inSlices } from '../../block/in-slices.ts';
import { discardBlocks, secureDiscardBlocks, zeroBlocks } from '../../linux/block-ioctl.ts';
import { closing, type HostBlocks, hostBlocks, openToChange, requireUnused } from './host-blocks.ts';

/** What can be done to a range of a block device. */
export type BlockChange = 'discard' | 'zero' | 'secure-discard';

/** A range in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What was done, and what was left as it was because it is only a part of a block. */
export interface ChangedBlocks {
  readonly range: ByteRange;
  /** Before and behind the range, those that are not empty. */
  readonly edges: readonly ByteRange[];
  /** In bytes. */
  readonly granularity: number;
}

/** How much the kernel is asked for at once, in bytes: Ctrl-C is heard in between. */
const sliceLength = 2 ** 28;

const calls = { discard: discardBlocks, zero: zeroBlocks, 'secure-discard': secureDiscardBlocks } as const;

/**
 * Discards or zeroes a range of a block device of this machine: the whole blocks in it.
 *
 * @throws VarveError `UNSUPPORTED` for what the device cannot do, `INVALID` for a range without a whole block,
 *   `OUT_OF_RANGE`, `READ_ONLY`, `BUSY` as `requireUnused` has it, unless `force` is given, `ABORTED`
 */
export async function changeBlocks(
  path: string,
  change: BlockChange,
  wanted: ByteRange | undefined,
  { force = false, signal }: { readonly force?: boolean | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<ChangedBlocks> {
  const doing = `${change} a range of ${path}`;
  const device = hostBlocks(path);
  const whole = wanted ?? { offset: 0, length: device.size };
  const changed = roundInwards(whole, device, change, doing);
  if (device.readOnly) throw new VarveError('READ_ONLY', `cannot ${doing}: it is read-only`);
  if (change === 'discard' && device.discardMaximum === 0) throw cannot(doing);
  if (!force) await requireUnused(device, doing);
  await closing(openToChange(path, doing, force), async (fd) => {
    const { length, offset } = changed.range;
    await inSlices(offset, length, sliceLength, (from, part) => {
      signal?.throwIfAborted();
      if (!calls[change](fd, from, part, path)) throw cannot(doing);
    });
    fsyncSync(fd);
  });
  return changed;
}

/** The whole blocks of a range: discarding goes by the device's granularity, zeroing by its sectors. */
function roundInwards(
  { length, offset }: ByteRange,
  { discardAlignment, discardGranularity, logicalSectorSize, size }: HostBlocks,
  change: BlockChange,
  doing: string,
): ChangedBlocks {
  const end = offset + length;
  if (end > size) {
    throw new VarveError('OUT_OF_RANGE', `cannot ${doing}: byte ${end} is past its end at ${size}`);
  }
  const isZero = change === 'zero';
  const granularity = isZero ? logicalSectorSize : Math.max(discardGranularity, logicalSectorSize);
  const shift = isZero ? 0 : discardAlignment % granularity;
  const from = Math.ceil((offset - shift) / granularity) * granularity + shift;
  // A device whose end is in the middle of a granule may give that back, too.
  const to =
    end === size ? end - (end % logicalSectorSize) : Math.floor((end - shift) / granularity) * granularity + shift;
  if (from >= to) {
    throw new VarveError('INVALID', `cannot ${doing}: there is no whole block of ${granularity} bytes in it`);
  }
  const edges = [
    { offset, length: from - offset },
    { offset: to, length: end - to },
  ].filter((edge) => edge.length > 0);
  return { range: { offset: from, length: to - from }, edges, granularity };
}

function cannot(doing: string): VarveError {
  return new VarveError(
    'UNSUPPORTED',
    `cannot ${doing}: the device does not do that; varve block caps shows what it does`,
  );
}

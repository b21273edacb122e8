import type { BlockDevice } from '../../block/block-device.ts';
import { throwIfAborted } from '../../store/throw-if-aborted.ts';
import { type FindUnusedOptions, findUnused, type UnusedRanges } from './unused-ranges.ts';

/** How unused ranges are trimmed. */
export interface TrimUnusedOptions extends FindUnusedOptions {
  /** Called before each volume is done, with what is done to it. */
  readonly onStep?: ((step: UnusedRanges) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a disk is sparsified; its name is given beside. */
export type SparsifyOptions = Omit<TrimUnusedOptions, 'name'>;

/** What came of it. */
export interface TrimmedDisk {
  readonly steps: readonly UnusedRanges[];
  /** How many bytes of the disk were given back, whether anything was there or not. */
  readonly trimmedLength: number;
}

/**
 * Trims what a disk's file systems do not use, and flushes.
 *
 * @throws VarveError as `findUnused` does, `ABORTED`, and what the device throws
 */
export async function trimUnused(device: BlockDevice, options: TrimUnusedOptions): Promise<TrimmedDisk> {
  const steps = await findUnused(device, options);
  let trimmedLength = 0;
  for (const step of steps) {
    options.onStep?.(step);
    if (step.kind === 'left') continue;
    for (const { offset, length } of step.ranges) {
      throwIfAborted(options.signal);
      const trimming = length > 0 ? device.trim(offset, length) : undefined;
      if (trimming !== undefined) await trimming;
      trimmedLength += length;
    }
  }
  await device.flush();
  return { steps, trimmedLength };
}

import { LostWritesError } from '../../block/nbd/lost-writes-error.ts';
import { log } from '../../log/log.ts';
import type { Disk } from '../open-disk.ts';
import { readInOrder } from '../read-in-order.ts';
import { type CopyDeviceOptions, type CopyStatistics, copyDevice } from './copy-device.ts';
import { type CopyTarget, type CopyTargetOptions, withCopyTarget } from './copy-target.ts';
import { verifyCopy } from './verify-copy.ts';

/** How a disk is copied. */
export interface CopyDiskOptions extends CopyTargetOptions, Omit<CopyDeviceOptions, 'onProgress' | 'onFailure'> {
  /** Reads both again in the end, and compares. */
  readonly verify?: boolean | undefined;
  /** Whether what was written is durable in the end; true where nothing is given. */
  readonly flush?: boolean | undefined;
}

/** What came of a copy. */
export interface CopyResult extends CopyStatistics {
  /** What messages call the target. */
  readonly target: string;
  /** The source's size in bytes; a larger target keeps what it holds behind that. */
  readonly size: number;
}

/** Copies that a server may have lost parts of, because it was started again, are made anew so often. */
const repetitionCount = 2;

/**
 * Writes all that a disk holds over another disk, or into a new file. What the target held there is lost, also where the
 * copy is stopped or fails; a new file is there whole and durable, or not at all.
 *
 * @throws VarveError `NO_SPACE` before anything is written for a target that is too small, `ABORTED`, `IO` where `verify`
 *   finds a difference, and what the disks throw
 */
export async function copyDisk(source: Disk, target: string, options: CopyDiskOptions = {}): Promise<CopyResult> {
  const { label } = source;
  return await log.scope(`copy ${label}`, () =>
    withCopyTarget(target, { label, size: source.device.size }, options, async (opened) => {
      using connections = closeable(source, opened, options.signal);
      const how = { ...options, onFailure: connections.close };
      const statistics = await copyWhole(source, opened, how);
      if (options.verify) await verify(source, opened, how);
      return { ...statistics, target: opened.label, size: source.device.size };
    }),
  );
}

type CopyingOptions = CopyDiskOptions & Pick<CopyDeviceOptions, 'onFailure'>;

/** Copies, and once more where the target's server was started again and may have lost what it had. */
async function copyWhole(source: Disk, target: CopyTarget, options: CopyingOptions): Promise<CopyStatistics> {
  const { device, kind, label } = target;
  const how = { ...options, destinationIsZero: options.destinationIsZero ?? kind === 'new file' };
  for (let repetition = 0; ; repetition += 1) {
    const statistics = await readInOrder(source, async (inOrder) => {
      using progress = log.progress({ label: `copying ${source.label}`, totalBytes: inOrder.size });
      return await copyDevice(inOrder, device, { ...how, onProgress: (count) => progress.advance(count) });
    });
    if (options.flush === false) return statistics;
    try {
      await device.flush();
      return statistics;
    } catch (error) {
      if (!(error instanceof LostWritesError) || repetition >= repetitionCount) throw error;
      log(0, 'the server of %s was away, and may have lost what was written; copying again', label);
    }
  }
}

async function verify(source: Disk, { device }: CopyTarget, options: CopyingOptions): Promise<void> {
  await readInOrder(source, async (inOrder) => {
    using progress = log.progress({ label: `verifying ${source.label}`, totalBytes: inOrder.size });
    await verifyCopy(inOrder, device, { ...options, onProgress: (count) => progress.advance(count) });
  });
}

/**
 * Closes the connections of a copy when it is stopped or has failed: nobody waits then for a server that is silent, or
 * away.
 */
function closeable(
  source: Disk,
  target: CopyTarget,
  signal: AbortSignal | undefined,
): Disposable & { readonly close: () => void } {
  const close = (): void => {
    // What fails to close is closed again by whoever opened it, who sees the failure.
    if (source.kind === 'address') Promise.resolve(source[Symbol.asyncDispose]()).catch(() => undefined);
    if (target.kind === 'address') Promise.resolve(target.device[Symbol.asyncDispose]()).catch(() => undefined);
  };
  signal?.addEventListener('abort', close, { once: true });
  return { close, [Symbol.dispose]: () => signal?.removeEventListener('abort', close) };
}

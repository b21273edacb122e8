import { isVarveError, type VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import type { VolumeTreeOptions } from '../../guest/volume-tree.ts';
import { type AttachServedOptions, attachServed } from '../transaction/attach-served.ts';
import { serveDisks } from '../transaction/serve-disks.ts';
import { type CheckedVolume, type CheckResult, checkableVolumes, lookAtVolume } from './check-file-systems.ts';

/** A file system that was checked, and what came of it. */
export interface CheckedFileSystem extends CheckResult, Pick<CheckedVolume, 'checker' | 'name' | 'type'> {}

/** What checking a disk needs. */
export interface CheckDiskOptions extends VolumeTreeOptions, Omit<AttachServedOptions, 'isNeeded' | 'mount'> {
  /** Hears of what cannot be checked; the rest is checked all the same. */
  readonly onProblem: (problem: VarveError) => void;
}

/**
 * Lets the checkers of all file systems of a disk look at them. They see what the disk holds, and what they or a journal
 * write goes nowhere.
 *
 * @throws VarveError as attaching and opening do
 */
export async function checkDisk(device: BlockDevice, options: CheckDiskOptions): Promise<CheckedFileSystem[]> {
  const { volumes, problems } = await checkableVolumes(device, options);
  problems.forEach(options.onProblem);
  if (volumes.length === 0) return [];
  const views = volumes.map((volume) => ({ ...volume, device: throwAway(volume) }));
  await using served = await serveDisks(views);
  await using attached = await attachServed(served.uris, { ...options, isNeeded: true });
  const checked: CheckedFileSystem[] = [];
  for (const [index, { checker, label, name, type }] of volumes.entries()) {
    const path = attached.paths[index]!;
    try {
      if (/^ext[34]$/.test(type)) await replayJournal(path, label, options.signal);
      checked.push({ checker, name, type, ...(await lookAtVolume({ checker, label }, path, options.signal)) });
    } catch (error) {
      if (!isVarveError(error, 'NOT_FOUND')) throw error;
      options.onProblem(error);
    }
  }
  return checked;
}

/** A snapshot of a running machine has work in its journal, which its system would do first; e2fsck -n would not. */
async function replayJournal(path: string, label: string, signal: AbortSignal): Promise<void> {
  await lookAtVolume({ checker: ['e2fsck', '-y', '-E', 'journal_only'], label }, path, signal);
}

function throwAway({ device, label }: CheckedVolume): BlockDevice {
  return checkedDevice(overlayFilter(device, memoryDevice(device.size)), { label });
}

import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { type BlockLimits, blockLimits, type SysfsDevice, sysfsDevice } from '../../linux/block-limits.ts';
import { mountTable } from '../../linux/mount-table.ts';
import { readPartitionTable } from '../../partition/read-partition-table.ts';

/** A block device of this machine, and what it can do. */
export interface HostBlocks extends BlockLimits {
  readonly path: string;
  readonly sysfs: SysfsDevice;
}

/** Looks at a block device of this machine. @throws VarveError `INVALID` for what is none, by errno */
export function hostBlocks(path: string): HostBlocks {
  const doing = `look at ${path}`;
  try {
    const stats = statSync(path);
    if (!stats.isBlockDevice()) throw new VarveError('INVALID', `cannot ${doing}: it is no block device`);
    const sysfs = sysfsDevice(stats.rdev);
    return { path, sysfs, ...blockLimits(sysfs) };
  } catch (error) {
    throw systemError(doing, error);
  }
}

/**
 * Sees to it that nobody misses what a device holds.
 *
 * @throws VarveError `BUSY` for one that is mounted, swapped to or part of something else, or has a partition table
 */
export async function requireUnused({ path, sysfs }: HostBlocks, doing: string): Promise<void> {
  const refuse = (reason: string): never => {
    throw new VarveError('BUSY', `cannot ${doing}: ${reason}; give --force if that is meant`);
  };
  const mount = mountTable().find(({ device }) => sysfs.numbers.includes(device));
  if (mount !== undefined) refuse(`it is mounted on ${mount.target}`);
  if (sysfs.holders.length > 0) refuse(`it is part of ${sysfs.holders.join(', ')}`);
  if (isSwap(sysfs)) refuse('it is used to swap');
  await using device = await openFileDevice(path, { readOnly: true });
  const table = await readPartitionTable(device, { name: path });
  if (table !== undefined) refuse('it has a partition table');
}

/** Opens a device to change it, with nobody else who claims it unless `force` is given. To be closed by the caller. @throws VarveError by errno */
export function openToChange(path: string, doing: string, force: boolean): number {
  try {
    return openSync(path, constants.O_RDWR + (force ? 0 : constants.O_EXCL));
  } catch (error) {
    throw systemError(doing, error);
  }
}

/** Does something with a descriptor, and closes it. */
export async function closing<T>(fd: number, work: (fd: number) => Promise<T>): Promise<T> {
  try {
    return await work(fd);
  } finally {
    closeSync(fd);
  }
}

/** Source: proc(5), `/proc/swaps`. */
function isSwap({ numbers }: SysfsDevice): boolean {
  const paths = readFileSync('/proc/swaps', 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s/)[0] ?? '');
  return paths.some((path) => {
    const stats = path === '' ? undefined : statSync(path, { throwIfNoEntry: false });
    return stats?.isBlockDevice() === true && numbers.includes(sysfsDevice(stats.rdev).numbers[0] ?? '');
  });
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemError } from '../base/varve-error.ts';
import { deviceNumber } from './device-number.ts';

/** What a block device can do, as the kernel tells it; sizes and lengths in bytes. */
export interface BlockLimits {
  readonly size: number;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  readonly readOnly: boolean;
  readonly rotational: boolean;
  /** What is discarded at once, at least; 0 where nothing can be. */
  readonly discardGranularity: number;
  /** Where the first such piece begins. */
  readonly discardAlignment: number;
  /** What one request may discard; 0 where nothing can be. */
  readonly discardMaximum: number;
  /** What one request may zero without zeros being sent; 0 where they are sent. */
  readonly zeroMaximum: number;
}

/** A block device of this machine in sysfs. */
export interface SysfsDevice {
  readonly directory: string;
  /** Its number, `8:1`, and those of its partitions. */
  readonly numbers: readonly string[];
  /** What is made of it: `dm-0`, `md1`. */
  readonly holders: readonly string[];
}

/**
 * Finds a block device by its number, as stat(2) tells it in `rdev`.
 *
 * Source: proc(5) and sysfs(5), `/sys/dev/block`.
 */
export function sysfsDevice(rdev: number): SysfsDevice {
  const own = deviceNumber(rdev);
  const directory = `/sys/dev/block/${own}`;
  const parts = namesIn(directory).filter((name) => existsSync(join(directory, name, 'partition')));
  const numbers = [own, ...parts.map((part) => textOf(join(directory, part, 'dev')))];
  const holders = [directory, ...parts.map((part) => join(directory, part))].flatMap((each) =>
    namesIn(join(each, 'holders')),
  );
  return { directory, numbers, holders };
}

/**
 * Reads what a device can do. A partition has the limits of its disk, and an alignment of its own.
 *
 * Source: the kernel's Documentation/ABI/stable/sysfs-block.
 *
 * @throws VarveError by errno
 */
export function blockLimits({ directory }: SysfsDevice): BlockLimits {
  const isPartition = existsSync(join(directory, 'partition'));
  const queue = join(directory, isPartition ? '../queue' : 'queue');
  return {
    size: numberIn(join(directory, 'size')) * 512,
    logicalSectorSize: numberIn(join(queue, 'logical_block_size')),
    physicalSectorSize: numberIn(join(queue, 'physical_block_size')),
    readOnly: numberIn(join(directory, 'ro')) === 1,
    rotational: numberIn(join(queue, 'rotational')) === 1,
    discardGranularity: numberIn(join(queue, 'discard_granularity')),
    discardAlignment: numberIn(join(directory, 'discard_alignment')),
    discardMaximum: numberIn(join(queue, 'discard_max_bytes')),
    zeroMaximum: numberIn(join(queue, 'write_zeroes_max_bytes')),
  };
}

function numberIn(path: string): number {
  return Number(textOf(path));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw systemError(`read ${path}`, error);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

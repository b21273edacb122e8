import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { findFileSystem } from '../../filesystem/file-systems.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { diskVolumes } from '../../image/disk-volumes.ts';
import type { ShownDisk } from './serve-disks.ts';

const run = promisify(execFile);

/** The programs that check a file system and change nothing; the file that shows it goes last. */
const checkers: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  ext2: ['e2fsck', '-fn'],
  ext3: ['e2fsck', '-fn'],
  ext4: ['e2fsck', '-fn'],
  xfs: ['xfs_repair', '-n', '-f'],
  vfat: ['fsck.fat', '-n'],
  exfat: ['fsck.exfat', '-n'],
  ntfs: ['ntfsfix', '-n'],
  btrfs: ['btrfs', 'check', '--readonly'],
};

/** A file system that has a checker: its part of a disk, and what it is called. */
export interface CheckedVolume extends ShownDisk {
  readonly checker: readonly [program: string, ...args: string[]];
}

/** The file systems of a disk that have checkers, each as a disk of its own; they belong to `device`. */
export async function checkedVolumes(device: BlockDevice, label: string): Promise<CheckedVolume[]> {
  const { volumes } = await diskVolumes(device, label);
  const found: CheckedVolume[] = [];
  for (const volume of volumes) {
    const part = sliceFilter(device, volume);
    const driver = await findFileSystem(part);
    const type = (await driver?.identify(part))?.type;
    const checker = type === undefined ? undefined : checkers[type];
    if (checker !== undefined) found.push({ device: part, label: `${label}, ${volume.name}`, checker });
  }
  return found;
}

/**
 * Lets the file system's own checker look at what is attached at `path`.
 *
 * @throws VarveError `CORRUPT` where it finds something wrong, `NOT_FOUND` where it is not installed
 */
export async function checkVolume({ checker, label }: CheckedVolume, path: string): Promise<void> {
  const [program, ...args] = checker;
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  try {
    await run(program, [...args, path], { env: { ...process.env, PATH }, maxBuffer: 1 << 26 });
  } catch (error) {
    throw checkError(error, program, label);
  }
}

function checkError(error: unknown, program: string, where: string): unknown {
  const { code, stdout } = error as { readonly code?: unknown; readonly stdout?: string };
  if (code === 'ENOENT') {
    return new VarveError('NOT_FOUND', `cannot check ${where}: ${program} is not installed`, { cause: error });
  }
  if (typeof code !== 'number') return error;
  const found = (stdout ?? '').split('\n').find((line) => line !== '' && !/^(Pass|Phase) \d/.test(line));
  return new VarveError('CORRUPT', `${program} finds ${where} wrong: ${found ?? `status ${code}`}`, { cause: error });
}

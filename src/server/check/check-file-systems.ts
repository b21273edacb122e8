import { execFile } from 'node:child_process';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { findGuestVolumes, type VolumeTreeOptions } from '../../guest/volume-tree.ts';
import type { ShownDisk } from '../transaction/serve-disks.ts';

type CommandLine = readonly [program: string, ...args: string[]];

/** The programs that check a file system and change nothing; the file that shows it goes last. */
const checkers: Readonly<Record<string, CommandLine>> = {
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
  /** As the disk's system calls it: `/dev/sda1`. */
  readonly name: string;
  readonly type: string;
  readonly checker: CommandLine;
}

/** What a checker found. */
export interface CheckResult {
  readonly isClean: boolean;
  /** What it printed, line by line; it quotes names and labels of the disk. */
  readonly lines: readonly string[];
  readonly status: number;
}

/** The file systems of a disk that have checkers, each as a disk of its own, and what of it cannot be looked into. */
export interface CheckableVolumes {
  readonly volumes: readonly CheckedVolume[];
  readonly problems: readonly VarveError[];
}

/** What of a disk can be checked, also in groups and arrays; the devices belong to `device`. @throws VarveError as `findGuestVolumes` */
export async function checkableVolumes(device: BlockDevice, options: VolumeTreeOptions): Promise<CheckableVolumes> {
  const found = await findGuestVolumes(device, options);
  const problems = found.flatMap(({ problem }) => problem ?? []);
  const volumes = found.flatMap(({ device: part, identity, name }) => {
    const type = identity?.type ?? '';
    const checker = Object.hasOwn(checkers, type) ? checkers[type] : undefined;
    if (part === undefined || checker === undefined) return [];
    return [{ device: part, label: `${options.name}, ${name}`, name, type, checker }];
  });
  return { volumes, problems };
}

/**
 * Lets the file system's own checker look at what is attached at `path`.
 *
 * @throws VarveError `NOT_FOUND` where it is not installed
 */
export async function lookAtVolume(
  { checker, label }: Pick<CheckedVolume, 'checker' | 'label'>,
  path: string,
  signal?: AbortSignal,
): Promise<CheckResult> {
  const [program, ...args] = checker;
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  const env = { ...process.env, PATH, LC_ALL: 'C.UTF-8' };
  const { error, text } = await new Promise<{ error: Error | null; text: string }>((resolve) => {
    execFile(program, [...args, path], { env, maxBuffer: 1 << 26, signal }, (failure, stdout, stderr) =>
      resolve({ error: failure, text: `${stdout}${stderr}` }),
    );
  });
  const { code } = (error ?? { code: 0 }) as { readonly code?: unknown };
  if (code === 'ENOENT') {
    throw new VarveError('NOT_FOUND', `cannot check ${label}: ${program} is not installed`, { cause: error });
  }
  if (typeof code !== 'number') throw error;
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return { isClean: code === 0, lines, status: code };
}

/** The same, where anything that is wrong is an error. @throws VarveError `CORRUPT`, and as `lookAtVolume` does */
export async function checkVolume(volume: CheckedVolume, path: string): Promise<void> {
  const { isClean, lines, status } = await lookAtVolume(volume, path);
  if (isClean) return;
  const found = lines.find((line) => !/^(Pass|Phase) \d|^e2fsck \d/.test(line)) ?? `status ${status}`;
  throw new VarveError('CORRUPT', `${volume.checker[0]} finds ${volume.label} wrong: ${found}`);
}

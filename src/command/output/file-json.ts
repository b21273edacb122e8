import type { FileStat } from '../../filesystem/file-system.ts';
import { type GuestFile, textOf } from '../../guest/guest-tree.ts';
import { timeJson } from './file-text.ts';

/** What can be told of a file for programs, its path and the target of a symlink among it. */
export async function fileJson(file: GuestFile): Promise<object> {
  const { accessed, changed, created, device, ...stat } = file.stat;
  return {
    ...{ path: file.path, ...stat, mode: modeDigits(stat) },
    ...{ modified: timeJson(stat.modified), accessed: timeJson(accessed), changed: timeJson(changed) },
    ...{ created: timeJson(created), device, target: await targetOf(file) },
  };
}

/** Where a symlink leads, as it says itself; undefined for any other file. */
export async function targetOf({ fileSystem, kind, node }: GuestFile): Promise<string | undefined> {
  return kind === 'symlink' ? textOf(await fileSystem.readLink(node)) : undefined;
}

/** A file's permissions as four octal digits. */
export function modeDigits({ mode }: Pick<FileStat, 'mode'>): string {
  return mode.toString(8).padStart(4, '0');
}

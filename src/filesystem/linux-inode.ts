/** What Linux writes into inodes and directories, and with it the file systems that came from there. */
import type { FileKind, FileStat } from './file-system.ts';

/** By the upper four bits of a mode. Source: inode(7), "The file type and mode". */
const modeKinds: Readonly<Record<number, FileKind>> = {
  1: 'fifo',
  2: 'character',
  4: 'directory',
  6: 'block',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** What a file is by its whole `mode`, of 16 bits; undefined for one that Linux does not know. */
export function kindOfMode(mode: number): FileKind | undefined {
  return modeKinds[(mode >>> 12) & 0xf];
}

/** What an entry of a directory is, by its type there. Source: Linux, include/linux/fs_types.h, FT_*. */
export const entryKinds: Readonly<Record<number, FileKind>> = {
  1: 'file',
  2: 'directory',
  3: 'character',
  4: 'block',
  5: 'fifo',
  6: 'socket',
  7: 'symlink',
};

/** A device's number: 12 bits of major amid 20 of minor. Source: Linux, include/linux/kdev_t.h, new_decode_dev. */
export function deviceOfNumber(number: number): NonNullable<FileStat['device']> {
  return { major: (number >>> 8) & 0xfff, minor: (number & 0xff) | ((number >>> 12) & 0xf_ff00) };
}

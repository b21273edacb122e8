import type { FileKind } from '../../filesystem/file-system.ts';

/** The bits of a mode that say what a file is. Source: inode(7). */
export const kindBits: Readonly<Record<FileKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

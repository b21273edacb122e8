/*
 * What the kernel and a file system server say to each other over /dev/fuse. Numbers are in the machine's own byte order,
 * which is little-endian on every machine that Varve's system calls know.
 *
 * Source: linux/fuse.h (FUSE protocol 7.31), Documentation/filesystems/fuse.rst.
 */

/** The version of the protocol that is spoken: that of Linux 5.4, which later kernels speak, too. */
export const protocolVersion = { major: 7, minor: 31 } as const;

/** What the kernel asks for. What is not listed here is answered with ENOSYS, and the kernel does without. */
export const opcodes = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  INIT: 26,
  READDIR: 28,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  TMPFILE: 51,
} as const;

/** What both sides can do, as INIT tells it. */
export const initFlags = {
  /** Several reads of one file at a time. */
  ASYNC_READ: 1 << 0,
  /** Writes of more than a page. */
  BIG_WRITES: 1 << 5,
  /** The kernel may ask for names together with what they stand for. */
  DO_READDIRPLUS: 1 << 13,
  /** It does so only where programs look at what they list. */
  READDIRPLUS_AUTO: 1 << 14,
  /** Requests without the page cache, several at a time. */
  ASYNC_DIO: 1 << 15,
  /** Several lookups and listings in one directory at a time. */
  PARALLEL_DIROPS: 1 << 18,
  /** The kernel decides by access control lists, too, and asks for them; only with `default_permissions`. */
  POSIX_ACL: 1 << 20,
  /** `max_pages` counts. */
  MAX_PAGES: 1 << 22,
  /** What symlinks hold is kept. */
  CACHE_SYMLINKS: 1 << 23,
} as const;

/** How a file that was opened is used. */
export const openFlags = {
  /** What the kernel knows of its content since it was open last is still right. */
  KEEP_CACHE: 1 << 1,
  /** Closing it needs no FLUSH. */
  NO_FLUSH: 1 << 5,
} as const;

/** Which attributes SETATTR changes. */
export const attributeFlags = { MODE: 1, UID: 2, GID: 4, SIZE: 8, FILE_HANDLE: 64 } as const;

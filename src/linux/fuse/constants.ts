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
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  INIT: 26,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  LSEEK: 46,
} as const;

/** What both sides can do, as INIT tells it. */
export const initFlags = {
  /** Several reads of one file at a time. */
  ASYNC_READ: 1 << 0,
  /** Writes of more than a page. */
  BIG_WRITES: 1 << 5,
  /** Requests without the page cache, several at a time. */
  ASYNC_DIO: 1 << 15,
  /** `max_pages` counts. */
  MAX_PAGES: 1 << 22,
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

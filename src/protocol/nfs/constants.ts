/** What NFS version 3 has numbers for. Source: RFC 1813, sections 2.6, 3 and appendix I. */
export const nfsVersion = 3;
export const mountVersion = 3;

/** What a server can be asked. */
export const procedures = {
  NULL: 0,
  GETATTR: 1,
  SETATTR: 2,
  LOOKUP: 3,
  ACCESS: 4,
  READLINK: 5,
  READ: 6,
  WRITE: 7,
  CREATE: 8,
  MKDIR: 9,
  SYMLINK: 10,
  MKNOD: 11,
  REMOVE: 12,
  RMDIR: 13,
  RENAME: 14,
  LINK: 15,
  READDIR: 16,
  READDIRPLUS: 17,
  FSSTAT: 18,
  FSINFO: 19,
  PATHCONF: 20,
  COMMIT: 21,
} as const;

/** What MOUNT can be asked. */
export const mountProcedures = { NULL: 0, MNT: 1, DUMP: 2, UMNT: 3, UMNTALL: 4, EXPORT: 5 } as const;

/** What became of a request; MOUNT has the same numbers, as far as it has them. */
export const nfsStatus = {
  OK: 0,
  NOENT: 2,
  IO: 5,
  ACCES: 13,
  NOTDIR: 20,
  ISDIR: 21,
  INVAL: 22,
  ROFS: 30,
  NAMETOOLONG: 63,
  STALE: 70,
  BADHANDLE: 10_001,
  BAD_COOKIE: 10_003,
  TOOSMALL: 10_005,
  SERVERFAULT: 10_006,
} as const;

export type NfsStatus = (typeof nfsStatus)[keyof typeof nfsStatus];

/** What may be done with a file. Source: section 3.3.4. */
export const accessBits = { READ: 1, LOOKUP: 2, MODIFY: 4, EXTEND: 8, DELETE: 16, EXECUTE: 32 } as const;

/** What a file system can do: links, symlinks, and the same answers for all of its files. Source: section 3.3.19. */
export const propertyBits = { LINK: 1, SYMLINK: 2, HOMOGENEOUS: 8 } as const;

/** The longest name in a directory, in bytes, that Linux takes. Source: NFS3_MAXNAMLEN in linux/nfs3.h. */
export const longestName = 255;
/** The longest path that is mounted, in bytes. Source: appendix I. */
export const longestPath = 1024;
/** The longest file handle, in bytes. */
export const longestHandle = 64;

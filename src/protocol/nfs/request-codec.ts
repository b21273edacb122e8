/*
 * What requests ask for:
 *
 *   nfs_fh3       opaque data<64>                  diropargs3   nfs_fh3 dir   string name<>
 *   GETATTR, READLINK, FSSTAT, FSINFO, PATHCONF    nfs_fh3
 *   LOOKUP, REMOVE, RMDIR      diropargs3          ACCESS       nfs_fh3   uint32 access
 *   READ          nfs_fh3   uint64 offset   uint32 count
 *   READDIR       nfs_fh3   uint64 cookie   opaque cookieverf[8]   uint32 count
 *   READDIRPLUS   nfs_fh3   uint64 cookie   opaque cookieverf[8]   uint32 dircount   uint32 maxcount
 *   SETATTR       nfs_fh3   sattr3   bool check, nfstime3 where it is true
 *   WRITE         nfs_fh3   uint64 offset   uint32 count   uint32 stable   opaque data<>
 *   CREATE        diropargs3   uint32 mode   sattr3, or where mode is 2 opaque verf[8]
 *   MKDIR         diropargs3   sattr3              SYMLINK      diropargs3   sattr3   string path<>
 *   MKNOD         diropargs3   uint32 type   3, 4: sattr3, uint32 major, uint32 minor   6, 7: sattr3
 *   RENAME        diropargs3 from   diropargs3 to  LINK         nfs_fh3   diropargs3
 *   COMMIT        nfs_fh3   uint64 offset   uint32 count
 *
 *   sattr3        bool, uint32 mode   bool, uint32 uid   bool, uint32 gid   bool, uint64 size   set_time atime   set_time mtime
 *   set_time      uint32 how   nfstime3 where that is 2        nfstime3   uint32 seconds   uint32 nseconds
 *
 * Source: RFC 1813, sections 2.6 and 3.3.
 */
import type { XdrReader } from '../rpc/xdr-reader.ts';
import { longestHandle, procedures } from './constants.ts';

/** No path is longer, whatever a file system may keep. */
const longestText = 2 ** 16;
const verifierLength = 8;

/** Handles and names are views into the request. */
export interface DirectoryName {
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
}

/** A range of a file; an offset that is too large for a file is one anyway. */
export interface ReadRequest {
  readonly file: Uint8Array;
  readonly offset: number;
  readonly count: number;
}

/** A part of a directory. */
export interface ListRequest {
  readonly directory: Uint8Array;
  readonly cookie: number;
  /** The most that names and what is told of where they are may take, in bytes; of READDIRPLUS only. */
  readonly namesLength: number;
  /** The most that the answer may take, in bytes. */
  readonly length: number;
}

export function decodeHandle(args: XdrReader): Uint8Array {
  return args.opaque(longestHandle);
}

export function decodeDirectoryName(args: XdrReader): DirectoryName {
  return { directory: decodeHandle(args), name: args.opaque(longestText) };
}

export function decodeRead(args: XdrReader): ReadRequest {
  return { file: decodeHandle(args), offset: Number(args.opaque64be()), count: args.u32be() };
}

export function decodeList(args: XdrReader, isPlus: boolean): ListRequest {
  const directory = decodeHandle(args);
  const cookie = Number(args.opaque64be());
  // What is listed never changes, so that a cookie stays good whatever its verifier.
  args.fixed(verifierLength);
  const length = args.u32be();
  return { directory, cookie, namesLength: length, length: isPlus ? args.u32be() : length };
}

/** The handles of the files and directories that a request would change, in the order in which the answer tells of them. */
export function decodeChange(procedure: number, args: XdrReader): readonly Uint8Array[] {
  if (procedure === procedures.LINK) return [decodeHandle(args), decodeDirectoryName(args).directory];
  if (procedure === procedures.RENAME)
    return [decodeDirectoryName(args).directory, decodeDirectoryName(args).directory];
  if (procedure === procedures.SETATTR) {
    const file = decodeHandle(args);
    skipNewAttributes(args);
    if (args.bool()) args.skip(8);
    return [file];
  }
  if (procedure === procedures.WRITE || procedure === procedures.COMMIT) {
    const file = decodeHandle(args);
    args.skip(12);
    if (procedure === procedures.COMMIT) return [file];
    args.skip(4);
    args.opaque(args.remaining);
    return [file];
  }
  const { directory } = decodeDirectoryName(args);
  skipNewFile(procedure, args);
  return [directory];
}

const exclusive = 2;
const [blockDevice, characterDevice] = [3, 4];

function skipNewFile(procedure: number, args: XdrReader): void {
  if (procedure === procedures.CREATE && args.u32be() === exclusive) {
    args.fixed(verifierLength);
    return;
  }
  const type = procedure === procedures.MKNOD ? args.u32be() : 0;
  if (procedure !== procedures.REMOVE && procedure !== procedures.RMDIR) skipNewAttributes(args);
  if (procedure === procedures.SYMLINK) args.opaque(longestText);
  if (type === blockDevice || type === characterDevice) args.skip(8);
}

const clientsTime = 2;

function skipNewAttributes(args: XdrReader): void {
  for (const length of [4, 4, 4, 8]) if (args.bool()) args.skip(length);
  for (let times = 0; times < 2; times += 1) if (args.u32be() === clientsTime) args.skip(8);
}

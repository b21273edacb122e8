import { constants } from 'node:os';
import { VarveError } from '../../base/varve-error.ts';
import { initFlags, opcodes, protocolVersion } from './constants.ts';
import { FuseErrno } from './fuse-errno.ts';
import type { FuseOperations, FuseTree, MaybePromise } from './fuse-operations.ts';
import { then } from './maybe-promise.ts';
import {
  encodeAttributes,
  encodeInit,
  encodeOpen,
  encodeSeek,
  encodeStatistics,
  putBody,
  replyHeaderLength,
} from './reply-codec.ts';
import { decodeInit, decodeRange, decodeSeek, type RequestHeader } from './request-codec.ts';
import { maximumTransfer, type RequestSlot } from './request-slot.ts';
import { handleTreeRequest } from './tree-requests.ts';
import { handleWriteRequest } from './write-requests.ts';

const { EINVAL, ENOSYS, ENXIO, EROFS } = constants.errno;

const pageSize = 4096;
/** How many requests that no program waits for, such as reads ahead, are under way at most. */
const maximumBackground = 32;
const seekData = 3;
const seekHole = 4;

/** Requests that would change something. */
const isChange: ReadonlySet<number> = new Set([
  ...[opcodes.SETATTR, opcodes.SYMLINK, opcodes.MKNOD, opcodes.MKDIR, opcodes.UNLINK, opcodes.RMDIR, opcodes.RENAME],
  ...[opcodes.LINK, opcodes.WRITE, opcodes.SETXATTR, opcodes.REMOVEXATTR, opcodes.CREATE, opcodes.FALLOCATE],
  ...[opcodes.RENAME2, opcodes.TMPFILE],
]);

/** No answer is expected. */
export const noReply = -1;

/**
 * Has `operations` do what a request asks for, and puts the body of the answer into the slot's output. Its length in
 * bytes, or `noReply`. Failures are thrown or rejected. Hot: READ and WRITE allocate next to nothing.
 */
export function handleRequest(
  operations: FuseOperations,
  header: RequestHeader,
  slot: RequestSlot,
): MaybePromise<number> {
  const { node, opcode } = header;
  const { input, output } = slot;
  switch (opcode) {
    case opcodes.READ: {
      const { length, offset } = decodeRange(input);
      if (length > maximumTransfer) throw new FuseErrno(EINVAL);
      return operations.read(node, output.subarray(replyHeaderLength, replyHeaderLength + length), offset);
    }
    case opcodes.LSEEK:
      return then(seek(operations, node, input), (offset) => putBody(output, encodeSeek(offset)));
    case opcodes.GETATTR:
      return then(operations.attributes(node), (attributes) => putBody(output, encodeAttributes(attributes)));
    case opcodes.OPEN:
      if (operations.open === undefined) throw new FuseErrno(ENOSYS);
      return then(operations.open(node), (flags) => putBody(output, encodeOpen(flags)));
    case opcodes.STATFS:
      return then(operations.statistics(node), (statistics) => putBody(output, encodeStatistics(statistics)));
    case opcodes.INIT:
      return putBody(output, initialise(input, operations));
    case opcodes.RELEASE:
    case opcodes.DESTROY:
      return 0;
    case opcodes.FORGET:
    case opcodes.BATCH_FORGET:
    // What it wants to call off is answered soon, as if it had come too late.
    case opcodes.INTERRUPT:
      return noReply;
    default:
      return handleOther(operations, header, slot);
  }
}

/** Requests that only file systems answer that can be written to, or have directories. */
function handleOther(operations: FuseOperations, header: RequestHeader, slot: RequestSlot): MaybePromise<number> {
  const { tree, writing } = operations;
  if (writing !== undefined) return handleWriteRequest(writing, header, slot);
  if (isChange.has(header.opcode)) throw new FuseErrno(EROFS);
  if (tree === undefined) throw new FuseErrno(ENOSYS);
  return handleTreeRequest(tree, header, slot);
}

/**
 * Requests of 1 MiB, several at a time. What is written goes to the file system at once (no `WRITEBACK_CACHE`): what the
 * kernel has accepted is in our hands, and an fsync has little left to do.
 */
function initialise(input: Uint8Array, { tree, writing }: FuseOperations): Uint8Array {
  const { flags, major, minor } = decodeInit(input);
  if (major !== protocolVersion.major || minor < protocolVersion.minor) {
    throw new VarveError('UNSUPPORTED', `this kernel speaks version ${major}.${minor} of FUSE, which is too old`);
  }
  const { ASYNC_DIO, ASYNC_READ, BIG_WRITES, MAX_PAGES } = initFlags;
  const wanted = ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES | (tree === undefined ? 0 : treeFlags(tree));
  return encodeInit({
    ...protocolVersion,
    // No more than the kernel has set for it.
    maxReadahead: maximumTransfer,
    flags: flags & wanted,
    maxBackground: maximumBackground,
    maxWrite: writing === undefined ? pageSize : maximumTransfer,
    maxPages: maximumTransfer / pageSize,
  });
}

function treeFlags({ checksAccess }: FuseTree): number {
  const { CACHE_SYMLINKS, DO_READDIRPLUS, PARALLEL_DIROPS, POSIX_ACL, READDIRPLUS_AUTO } = initFlags;
  return DO_READDIRPLUS | READDIRPLUS_AUTO | PARALLEL_DIROPS | CACHE_SYMLINKS | (checksAccess ? POSIX_ACL : 0);
}

function seek(operations: FuseOperations, node: number, input: Uint8Array): MaybePromise<number> {
  const { offset, whence } = decodeSeek(input);
  if (whence !== seekData && whence !== seekHole) throw new FuseErrno(EINVAL);
  return then(operations.seek(node, offset, whence === seekData ? 'data' : 'hole'), (found) => {
    if (found === undefined) throw new FuseErrno(ENXIO);
    return found;
  });
}

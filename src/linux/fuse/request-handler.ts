import { constants } from 'node:os';
import { VarveError } from '../../base/varve-error.ts';
import { initFlags, opcodes, protocolVersion } from './constants.ts';
import type { FuseOperations, MaybePromise } from './fuse-operations.ts';
import {
  encodeAttributes,
  encodeInit,
  encodeOpen,
  encodeSeek,
  encodeStatistics,
  encodeWritten,
  replyHeaderLength,
} from './reply-codec.ts';
import {
  decodeAllocate,
  decodeInit,
  decodeRange,
  decodeSeek,
  decodeSetAttributes,
  decodeWriteData,
  type RequestHeader,
} from './request-codec.ts';
import { maximumTransfer, type RequestSlot } from './request-slot.ts';

const pageSize = 4096;
/** How many requests that no program waits for, such as reads ahead, are under way at most. */
const maximumBackground = 32;
const seekData = 3;
const seekHole = 4;

/** A system has no such call, which the kernel remembers; a position has nothing behind it. */
export class FuseErrno extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** No answer is expected. */
export const noReply = -1;

/**
 * Has `operations` do what a request asks for, and puts the body of the answer into the slot's output. Its length in
 * bytes, or `noReply`. Failures are thrown or rejected. Hot: READ and WRITE allocate next to nothing.
 */
export function handleRequest(
  operations: FuseOperations,
  { node, opcode }: RequestHeader,
  { input, output }: RequestSlot,
): MaybePromise<number> {
  const answer = (body: Uint8Array): number => {
    output.set(body, replyHeaderLength);
    return body.length;
  };
  switch (opcode) {
    case opcodes.READ: {
      const { length, offset } = decodeRange(input);
      if (length > maximumTransfer) throw new FuseErrno(constants.errno.EINVAL);
      return operations.read(node, output.subarray(replyHeaderLength, replyHeaderLength + length), offset);
    }
    case opcodes.WRITE: {
      const range = decodeRange(input);
      const written = operations.write(node, decodeWriteData(input, range), range.offset);
      return then(written, (length) => answer(encodeWritten(length)));
    }
    case opcodes.FSYNC:
      return then(operations.sync(node), () => 0);
    case opcodes.FALLOCATE:
      return then(operations.allocate(node, decodeAllocate(input)), () => 0);
    case opcodes.LSEEK:
      return then(seek(operations, node, input), (offset) => answer(encodeSeek(offset)));
    case opcodes.GETATTR:
      return then(operations.attributes(node), (attributes) => answer(encodeAttributes(attributes)));
    case opcodes.SETATTR: {
      const changed = operations.setAttributes(node, decodeSetAttributes(input));
      return then(changed, (attributes) => answer(encodeAttributes(attributes)));
    }
    case opcodes.OPEN:
      return then(operations.open(node), (flags) => answer(encodeOpen(flags)));
    case opcodes.STATFS:
      return then(operations.statistics(), (statistics) => answer(encodeStatistics(statistics)));
    case opcodes.INIT:
      return answer(initialise(input));
    case opcodes.RELEASE:
    case opcodes.DESTROY:
      return 0;
    case opcodes.FORGET:
    case opcodes.BATCH_FORGET:
    // What it wants to call off is answered soon, as if it had come too late.
    case opcodes.INTERRUPT:
      return noReply;
    default:
      throw new FuseErrno(constants.errno.ENOSYS);
  }
}

/**
 * Requests of 1 MiB, several at a time. What is written goes to the file system at once (no `WRITEBACK_CACHE`): what the
 * kernel has accepted is in our hands, and an fsync has little left to do.
 */
function initialise(input: Uint8Array): Uint8Array {
  const { flags, major, maxReadahead, minor } = decodeInit(input);
  if (major !== protocolVersion.major || minor < protocolVersion.minor) {
    throw new VarveError('UNSUPPORTED', `this kernel speaks version ${major}.${minor} of FUSE, which is too old`);
  }
  const { ASYNC_DIO, ASYNC_READ, BIG_WRITES, MAX_PAGES } = initFlags;
  return encodeInit({
    ...protocolVersion,
    maxReadahead,
    flags: flags & (ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES),
    maxBackground: maximumBackground,
    maxWrite: maximumTransfer,
    maxPages: maximumTransfer / pageSize,
  });
}

function seek(operations: FuseOperations, node: number, input: Uint8Array): MaybePromise<number> {
  const { offset, whence } = decodeSeek(input);
  if (whence !== seekData && whence !== seekHole) throw new FuseErrno(constants.errno.EINVAL);
  return then(operations.seek(node, offset, whence === seekData ? 'data' : 'hole'), (found) => {
    if (found === undefined) throw new FuseErrno(constants.errno.ENXIO);
    return found;
  });
}

/** At once, where the value is there. */
function then<T, Result>(value: MaybePromise<T>, next: (value: T) => Result): MaybePromise<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

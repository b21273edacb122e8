import { constants } from 'node:os';
import { opcodes } from './constants.ts';
import { FuseErrno } from './fuse-errno.ts';
import type { FuseWriting, MaybePromise } from './fuse-operations.ts';
import { then } from './maybe-promise.ts';
import { encodeAttributes, encodeWritten, putBody } from './reply-codec.ts';
import {
  decodeAllocate,
  decodeRange,
  decodeSetAttributes,
  decodeWriteData,
  type RequestHeader,
} from './request-codec.ts';
import type { RequestSlot } from './request-slot.ts';

/**
 * Has a file system that can be written to do what a request asks for, and puts the body of the answer into the slot's
 * output. Its length in bytes. Other requests fail with ENOSYS.
 */
export function handleWriteRequest(
  writing: FuseWriting,
  { node, opcode }: RequestHeader,
  { input, output }: RequestSlot,
): MaybePromise<number> {
  switch (opcode) {
    case opcodes.WRITE: {
      const range = decodeRange(input);
      const written = writing.write(node, decodeWriteData(input, range), range.offset);
      return then(written, (length) => putBody(output, encodeWritten(length)));
    }
    case opcodes.FSYNC:
      return then(writing.sync(node), () => 0);
    case opcodes.FALLOCATE:
      return then(writing.allocate(node, decodeAllocate(input)), () => 0);
    case opcodes.SETATTR: {
      const changed = writing.setAttributes(node, decodeSetAttributes(input));
      return then(changed, (attributes) => putBody(output, encodeAttributes(attributes)));
    }
    default:
      throw new FuseErrno(constants.errno.ENOSYS);
  }
}

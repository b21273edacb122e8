import { constants } from 'node:os';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { opcodes } from './constants.ts';
import { directoryEntryLength, encodeEntry, type FuseName, putDirectoryEntry } from './directory-codec.ts';
import { FuseErrno } from './fuse-errno.ts';
import type { FuseListing, FuseTree, MaybePromise } from './fuse-operations.ts';
import { then } from './maybe-promise.ts';
import { putBody, replyHeaderLength } from './reply-codec.ts';
import {
  decodeAttributeName,
  decodeAttributeSize,
  decodeName,
  decodeRange,
  type RangeRequest,
  type RequestHeader,
} from './request-codec.ts';
import { maximumTransfer, type RequestSlot } from './request-slot.ts';

const { ENODATA, ENOSYS, ERANGE } = constants.errno;
const noSuchAttribute = new FuseErrno(ENODATA);
const sizeReplyLength = 8;

/**
 * Has a file system with directories do what a request asks for, and puts the body of the answer into the slot's output.
 * Its length in bytes. Requests that are not for directories, links and attributes fail with ENOSYS.
 */
export function handleTreeRequest(
  tree: FuseTree,
  { node, opcode }: RequestHeader,
  { input, output }: RequestSlot,
): MaybePromise<number> {
  switch (opcode) {
    case opcodes.LOOKUP:
      return then(tree.lookup(node, decodeName(input)), (entry) => putBody(output, encodeEntry(entry)));
    case opcodes.READDIR:
    case opcodes.READDIRPLUS: {
      const range = decodeRange(input);
      const isPlus = opcode === opcodes.READDIRPLUS;
      const listing = tree.list(node);
      if (listing instanceof Promise) return listing.then((later) => putNames(later, range, isPlus, output));
      return putNames(listing, range, isPlus, output);
    }
    case opcodes.READLINK:
      return then(tree.readLink(node), (target) => putBody(output, target));
    case opcodes.GETXATTR: {
      const name = decodeAttributeName(input);
      const size = decodeAttributeSize(input);
      return then(tree.extendedAttributes(node), (attributes) =>
        putBody(output, inSize(valueNamed(attributes, name), size)),
      );
    }
    case opcodes.LISTXATTR: {
      const size = decodeAttributeSize(input);
      return then(tree.extendedAttributes(node), (attributes) => putBody(output, inSize(namesOf(attributes), size)));
    }
    default:
      throw new FuseErrno(ENOSYS);
  }
}

/** As many names as the answer has room for, from the one on whose index is the offset. Files are looked at together. */
function putNames(
  listing: FuseListing,
  { length, offset }: RangeRequest,
  isPlus: boolean,
  output: Uint8Array,
): MaybePromise<number> {
  const names: MaybePromise<FuseName>[] = [];
  let room = Math.min(length, maximumTransfer);
  let isLater = false;
  for (let index = offset; index < listing.length; index += 1) {
    room -= directoryEntryLength(listing.nameLength(index), isPlus);
    if (room < 0) break;
    const name = listing.at(index);
    isLater ||= name instanceof Promise;
    names.push(name);
  }
  const put = (all: readonly FuseName[]): number => {
    const writer = new ByteWriter(output.subarray(replyHeaderLength));
    for (const [index, name] of all.entries()) putDirectoryEntry(writer, name, { isPlus, next: offset + index + 1 });
    return writer.position;
  };
  return isLater ? Promise.all(names).then(put) : put(names as FuseName[]);
}

function valueNamed(attributes: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const value = attributes.get(name);
  if (value === undefined) throw noSuchAttribute;
  return value;
}

function namesOf(attributes: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return new TextEncoder().encode([...attributes.keys()].map((name) => `${name}\0`).join(''));
}

/** A value, or how long it is for who has no room for it yet. */
function inSize(value: Uint8Array, size: number): Uint8Array {
  if (size === 0) {
    const writer = new ByteWriter(sizeReplyLength);
    writer.u32le(value.length);
    return writer.bytes;
  }
  if (value.length > size) throw new FuseErrno(ERANGE);
  return value;
}

/*
 * What is told of a file:
 *
 *   fattr3   0 uint32 type (1 file, 2 directory, 3 block device, 4 character device, 5 symlink, 6 socket, 7 fifo)
 *            4 uint32 mode   8 uint32 nlink  12 uint32 uid  16 uint32 gid  20 uint64 size  28 uint64 used
 *           36 uint32 major 40 uint32 minor  44 uint64 fsid 52 uint64 fileid
 *           60 nfstime3 atime (uint32 seconds, uint32 nseconds)   68 nfstime3 mtime   76 nfstime3 ctime
 *
 *   post_op_attr   bool, and fattr3 where it is true
 *   wcc_data       bool, and of before: uint64 size, nfstime3 mtime, nfstime3 ctime; post_op_attr of after
 *
 * Source: RFC 1813, section 2.6.
 */
import type { XdrWriter } from '../rpc/xdr-writer.ts';

/** The numbers for what a file is. */
export const fileTypes = { file: 1, directory: 2, block: 3, character: 4, symlink: 5, socket: 6, fifo: 7 } as const;

/** A moment: whole seconds since 1970, negative before it, and the nanoseconds from there. */
interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What is told of a file. */
export interface NfsAttributes {
  /** One of `fileTypes`. */
  readonly type: number;
  /** The twelve bits of permissions and the like. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes. */
  readonly size: number;
  /** What it takes, in bytes. */
  readonly used: number;
  readonly device: { readonly major: number; readonly minor: number };
  /** Of the file system. */
  readonly fsid: bigint;
  /** The number that programs see. */
  readonly fileid: number;
  readonly accessed: Moment;
  readonly modified: Moment;
  readonly changed: Moment;
}

/** The length of fattr3, in bytes. */
const attributesLength = 84;
/** The length of post_op_attr with attributes, in bytes. */
export const postAttributesLength = 4 + attributesLength;
const lastSecond = 0xffff_ffff;

/** Writes fattr3. Hot: it stands in almost every answer. */
export function putAttributes(writer: XdrWriter, attributes: NfsAttributes): void {
  writer.u32be(attributes.type);
  writer.u32be(attributes.mode);
  writer.u32be(attributes.links);
  writer.u32be(attributes.uid);
  writer.u32be(attributes.gid);
  writer.u64be(attributes.size);
  writer.u64be(attributes.used);
  writer.u32be(attributes.device.major);
  writer.u32be(attributes.device.minor);
  writer.opaque64be(attributes.fsid);
  writer.u64be(attributes.fileid);
  putTime(writer, attributes.accessed);
  putTime(writer, attributes.modified);
  putTime(writer, attributes.changed);
}

/** Writes post_op_attr. */
export function putPostAttributes(writer: XdrWriter, attributes: NfsAttributes | undefined): void {
  writer.bool(attributes !== undefined);
  if (attributes !== undefined) putAttributes(writer, attributes);
}

/** Writes wcc_data of what a request has left as it was. */
export function putUnchanged(writer: XdrWriter, attributes: NfsAttributes | undefined): void {
  writer.bool(attributes !== undefined);
  if (attributes !== undefined) {
    writer.u64be(attributes.size);
    putTime(writer, attributes.modified);
    putTime(writer, attributes.changed);
  }
  putPostAttributes(writer, attributes);
}

/** What lies before 1970 or after 2106 is as near as the protocol can tell. */
function putTime(writer: XdrWriter, { nanoseconds, seconds }: Moment): void {
  const isInside = seconds >= 0 && seconds <= lastSecond;
  writer.u32be(isInside ? seconds : seconds < 0 ? 0 : lastSecond);
  writer.u32be(isInside ? nanoseconds : 0);
}

/*
 * What follows after the status of an answer, where that is 0:
 *
 *   READ          post_op_attr   uint32 count   bool eof   opaque data<>
 *   READDIR       post_op_attr of the directory   opaque cookieverf[8]   entries   bool eof
 *   an entry      bool 1   uint64 fileid   string name<>   uint64 cookie (of the next one); bool 0 after the last
 *   READDIRPLUS   the same, and in each entry after the cookie: post_op_attr   post_op_fh3 (bool, and nfs_fh3)
 *   FSSTAT        post_op_attr   uint64 tbytes fbytes abytes tfiles ffiles afiles   uint32 invarsec
 *   FSINFO        post_op_attr   uint32 rtmax rtpref rtmult wtmax wtpref wtmult dtpref   uint64 maxfilesize
 *                 nfstime3 time_delta   uint32 properties
 *   PATHCONF      post_op_attr   uint32 linkmax   uint32 name_max   bool no_trunc   bool chown_restricted
 *                 bool case_insensitive   bool case_preserving
 *
 * Source: RFC 1813, section 3.3.
 */
import type { XdrWriter } from '../rpc/xdr-writer.ts';
import { opaqueLength } from '../rpc/xdr-writer.ts';
import { type NfsAttributes, postAttributesLength, putPostAttributes } from './attribute-codec.ts';
import { longestName, propertyBits } from './constants.ts';
import { handleLength } from './file-handle.ts';

/** What stands around the data of READ: status, attributes, count, eof and the length, in bytes, and padding. */
export const readOverhead = 4 + postAttributesLength + 12 + 3;
const verifier = new Uint8Array(8);
/** What an answer has besides entries: status, attributes, verifier, the end of the list, and eof. */
const listOverhead = 4 + postAttributesLength + verifier.length + 8;

/** A name in a directory. */
export interface NfsEntry {
  readonly name: Uint8Array;
  readonly fileid: number;
  /** Of the name after it. */
  readonly cookie: number;
  /** Undefined where that cannot be read. */
  readonly attributes: NfsAttributes | undefined;
  readonly handle: Uint8Array | undefined;
}

/** How long an entry of READDIR is, in bytes. */
function entryLength(nameLength: number): number {
  return 4 + 8 + opaqueLength(nameLength) + 8;
}

const plusLength = postAttributesLength + 4 + opaqueLength(handleLength);

/** Writes the answer to READDIR or READDIRPLUS, an entry at a time, as far as its bounds go. */
export class ListWriter {
  readonly #writer: XdrWriter;
  readonly #isPlus: boolean;
  #room: number;
  #namesRoom: number;
  #count = 0;

  /** `length` is that of all the answer, in bytes, and `namesLength` of the names and what belongs to them. */
  constructor(
    writer: XdrWriter,
    {
      isPlus,
      length,
      namesLength,
    }: { readonly isPlus: boolean; readonly length: number; readonly namesLength: number },
  ) {
    this.#writer = writer;
    this.#isPlus = isPlus;
    this.#room = length - listOverhead;
    this.#namesRoom = isPlus ? namesLength : this.#room;
  }

  /** The names that were put. */
  get count(): number {
    return this.#count;
  }

  begin(directory: NfsAttributes): void {
    putPostAttributes(this.#writer, directory);
    this.#writer.put(verifier);
  }

  /** Whether there is room for a name of `nameLength` bytes. */
  hasRoom(nameLength: number): boolean {
    const own = entryLength(nameLength);
    // A name that is longer than all names may be is put all the same, or a directory would end there.
    const fits = own <= this.#namesRoom || this.#count === 0;
    return fits && own + (this.#isPlus ? plusLength : 0) <= this.#room;
  }

  put({ attributes, cookie, fileid, handle, name }: NfsEntry): void {
    const writer = this.#writer;
    writer.bool(true);
    writer.u64be(fileid);
    writer.opaque(name);
    writer.u64be(cookie);
    if (this.#isPlus) {
      putPostAttributes(writer, attributes);
      writer.bool(handle !== undefined);
      if (handle !== undefined) writer.opaque(handle);
    }
    this.#count += 1;
    this.#room -= entryLength(name.length) + (this.#isPlus ? plusLength : 0);
    this.#namesRoom -= entryLength(name.length);
  }

  end(isAll: boolean): void {
    this.#writer.bool(false);
    this.#writer.bool(isAll);
  }
}

/** How much of a file system is in use; in bytes and files. */
export interface NfsUsage {
  readonly size: number;
  readonly free: number;
  /** What others than root may take. */
  readonly available: number;
  readonly files: number;
  readonly freeFiles: number;
}

/** Nothing changes, so that what is told stays true for as long as can be said, in seconds. */
const forever = 0xffff_ffff;

/** Writes the answer to FSSTAT. */
export function putUsage(writer: XdrWriter, attributes: NfsAttributes, usage: NfsUsage): void {
  putPostAttributes(writer, attributes);
  for (const bytes of [usage.size, usage.free, usage.available]) writer.u64be(bytes);
  for (const files of [usage.files, usage.freeFiles, usage.freeFiles]) writer.u64be(files);
  writer.u32be(forever);
}

/** How a client had best ask; in bytes. */
export interface NfsLimits {
  readonly longestRead: number;
  readonly longestWrite: number;
  readonly longestList: number;
}

const largestFile = 2n ** 63n - 1n;
const multiple = 4096;

/** Writes the answer to FSINFO. */
export function putLimits(writer: XdrWriter, attributes: NfsAttributes, limits: NfsLimits): void {
  const { longestList, longestRead, longestWrite } = limits;
  putPostAttributes(writer, attributes);
  for (const length of [longestRead, longestRead, multiple]) writer.u32be(length);
  for (const length of [longestWrite, longestWrite, multiple]) writer.u32be(length);
  writer.u32be(longestList);
  writer.opaque64be(largestFile);
  // Times are told by the nanosecond.
  writer.u32be(0);
  writer.u32be(1);
  writer.u32be(propertyBits.LINK | propertyBits.SYMLINK | propertyBits.HOMOGENEOUS);
}

const mostLinks = 65_000;

/** Writes the answer to PATHCONF. */
export function putNameRules(writer: XdrWriter, attributes: NfsAttributes, ignoresCase: boolean): void {
  putPostAttributes(writer, attributes);
  writer.u32be(mostLinks);
  writer.u32be(longestName);
  for (const rule of [true, true, ignoresCase, true]) writer.bool(rule);
}

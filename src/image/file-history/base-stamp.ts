import fs from 'node:fs/promises';
import { systemError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { alignDown } from '../../bytes/align.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { isZero } from '../../bytes/is-zero.ts';
import type { ContentStamp } from '../../format/qcow2/content-stamp.ts';
import { nameOf } from '../../store/hash.ts';

/** What a stamp says of a file's content. */
export type FileStamp = Pick<ContentStamp, 'coverage' | 'size' | 'modifiedNs' | 'hash'>;

/**
 * Whether a file still is what it was: `unknown` where it was written to, or copied, and what is looked at of a large
 * file is the same all the same.
 */
export type BaseState = 'unchanged' | 'changed' | 'unknown';

/** Files with no more data than this are hashed whole, in bytes: some 10 ms. */
const wholeLength = 16 * 2 ** 20;
/** So much more is read to compare with the hash of a whole file, whose holes a copy may have filled. */
const wholeLimit = 64 * wholeLength;
const blockLength = 65536;
const sampleLength = 4096;
const sampleCount = 256;
/** More pieces than this are not looked at to find out how much of a file is data. */
const maximumExtentCount = 4096;

/**
 * What a file is now: its size, when it was written to, and a hash of all of it, or for a large file of its first and
 * last bytes and samples between.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `IO`
 */
export async function stampFile(path: string): Promise<FileStamp> {
  const modifiedNs = await modifiedNsOf(path);
  await using file = await openFileDevice(path, { readOnly: true });
  const coverage = (await dataLength(file, wholeLength)) <= wholeLength ? 'all' : 'samples';
  return { coverage, size: file.size, modifiedNs, hash: await hashOf(file, coverage) };
}

/** Whether the file at `path` is what it was when it was stamped. @throws VarveError as `stampFile` does */
export async function compareToStamp(path: string, stamp: FileStamp): Promise<BaseState> {
  const isUntouched = (await modifiedNsOf(path)) === stamp.modifiedNs;
  await using file = await openFileDevice(path, { readOnly: true });
  if (file.size !== stamp.size) return 'changed';
  const { coverage } = stamp;
  const isReadable = coverage === 'samples' || (await dataLength(file, wholeLimit)) <= wholeLimit;
  if (!isReadable) return isUntouched ? 'unchanged' : 'unknown';
  if (Buffer.compare(await hashOf(file, coverage), stamp.hash) !== 0) return 'changed';
  return coverage === 'all' || isUntouched ? 'unchanged' : 'unknown';
}

/** How many bytes of a file are data; some number over `limit` as soon as that is sure. */
async function dataLength(file: BlockDevice, limit: number): Promise<number> {
  if (file.size === 0) return 0;
  let length = 0;
  let count = 0;
  for await (const extent of file.extents(0, file.size)) {
    if (extent.kind === 'data') length += extent.length;
    count += 1;
    if (length > limit || count > maximumExtentCount) return limit + 1;
  }
  return length;
}

/** BLAKE3 of the offsets and the BLAKE3 of what is not zero, so that it does not matter where a file has holes. */
async function hashOf(file: BlockDevice, coverage: FileStamp['coverage']): Promise<Uint8Array> {
  const blocks = coverage === 'all' ? allBlocks(file) : samples(file);
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(blockLength);
  for await (const [offset, length] of blocks) {
    const block = buffer.subarray(0, length);
    await file.read(block, offset);
    if (!isZero(block)) parts.push(encodeOffset(offset), nameOf(block));
  }
  return new Uint8Array(nameOf(Buffer.concat(parts)));
}

async function* allBlocks(file: BlockDevice): AsyncGenerator<[offset: number, length: number]> {
  if (file.size === 0) return;
  let next = 0;
  for await (const { offset, length, kind } of file.extents(0, file.size)) {
    if (kind !== 'data') continue;
    for (next = Math.max(next, alignDown(offset, blockLength)); next < offset + length; next += blockLength) {
      yield [next, Math.min(blockLength, file.size - next)];
    }
  }
}

/** The first and the last block, where formats keep their tables, and pages between, the same distance apart. */
async function* samples(file: BlockDevice): AsyncGenerator<[offset: number, length: number]> {
  const last = alignDown(file.size - 1, blockLength);
  yield [0, Math.min(blockLength, file.size)];
  for (let index = 1; index < sampleCount; index += 1) {
    const offset = alignDown(Math.floor((file.size / sampleCount) * index), sampleLength);
    yield [offset, Math.min(sampleLength, file.size - offset)];
  }
  yield [last, file.size - last];
}

function encodeOffset(offset: number): Uint8Array {
  const writer = new ByteWriter(8);
  writer.u64be(offset);
  return writer.bytes;
}

async function modifiedNsOf(path: string): Promise<bigint> {
  try {
    return (await fs.stat(path, { bigint: true })).mtimeNs;
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

import type { BlockDevice } from '../../../src/block/block-device.ts';
import { isZero } from '../../../src/bytes/is-zero.ts';
import { contentOf } from '../../../src/conformance/device-content.ts';

const pieceLength = 2 ** 20;

/** Where a disk is not what its raw copy is, in a sentence; undefined where they are the same. */
export async function contentDifference(disk: BlockDevice, raw: BlockDevice): Promise<string | undefined> {
  if (disk.size !== raw.size) return `it has ${disk.size} bytes and its raw copy ${raw.size}`;
  if (disk.size === 0) return undefined;
  for await (const { kind, length, offset } of disk.extents(0, disk.size)) {
    const difference = kind === 'data' ? inData(disk, raw, offset, length) : inZeros(disk, raw, kind, offset, length);
    const found = await difference;
    if (found !== undefined) return found;
  }
  return undefined;
}

async function inData(disk: BlockDevice, raw: BlockDevice, start: number, length: number): Promise<string | undefined> {
  for (let offset = start; offset < start + length; offset += pieceLength) {
    const found = await inPiece(disk, raw, offset, Math.min(pieceLength, start + length - offset));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function inPiece(
  disk: BlockDevice,
  raw: BlockDevice,
  start: number,
  length: number,
): Promise<string | undefined> {
  const ours = await contentOf(disk, start, length);
  const theirs = await contentOf(raw, start, length);
  if (Buffer.compare(ours, theirs) === 0) return undefined;
  const place = ours.findIndex((byte, index) => byte !== theirs[index]);
  return `byte ${start + place} is ${ours[place]} and should be ${theirs[place]}`;
}

/** Reads the start of it, and asks the sparse copy alone about the rest. */
async function inZeros(
  disk: BlockDevice,
  raw: BlockDevice,
  kind: string,
  start: number,
  length: number,
): Promise<string | undefined> {
  const found = await inPiece(disk, raw, start, Math.min(length, pieceLength));
  if (found !== undefined) return found;
  for await (const extent of raw.extents(start, length)) {
    if (extent.kind !== 'data') continue;
    for (let offset = extent.offset; offset < extent.offset + extent.length; offset += pieceLength) {
      const piece = await contentOf(raw, offset, Math.min(pieceLength, extent.offset + extent.length - offset));
      if (!isZero(piece)) return `byte ${offset} is in a ${kind} and should not be`;
    }
  }
  return undefined;
}

import type { BlockDevice } from '../../block/block-device.ts';
import { dataRanges } from '../data-ranges.ts';
import { type DiskPiece, diskPieces, throwIfAborted } from '../disk-pieces.ts';
import type { ImageMeasure, WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { writeRaw } from '../write-raw.ts';
import { zeroRuns } from '../zero-runs.ts';
import { encodeVdiHeader } from './header.ts';
import { type VdiLayout, vdiBlockSize, vdiHeaderFor, vdiLayout } from './vdi-layout.ts';

/** Zeros this long inside a block are left out of a file; in bytes. */
const zeroLength = 4096;

/**
 * Writes a disk as a VDI image without a parent. Into a file, blocks of zeros are found and left out, and the header
 * comes last, so that what was cut off is no image; on the way into a pipe what `extents` calls data is stored as it is.
 *
 * @throws VarveError `INVALID` for options that VDI does not have, `NO_SPACE`, `ABORTED`
 */
export async function writeVdi(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const layout = vdiLayout(source.size, options);
  throwIfAborted(options.signal);
  if (layout.isStatic) await writeStatic(source, target, layout, options);
  else if (target.seekable) await writeDynamic(source, target, layout, options);
  else await streamDynamic(source, target, layout, options);
  options.onProgress?.(source.size);
}

/** How large a file `writeVdi` makes, where blocks of zeros that `extents` calls data count as data. */
export async function measureVdi(source: BlockDevice, options: WriteImageOptions = {}): Promise<ImageMeasure> {
  const layout = vdiLayout(source.size, options);
  const fullyAllocated = layout.dataOffset + layout.blockCount * vdiBlockSize;
  if (layout.isStatic) return { required: fullyAllocated, fullyAllocated };
  return { required: layout.dataOffset + (await allocationOf(source, layout)).count * vdiBlockSize, fullyAllocated };
}

/** A block map, and how many blocks have a place by it. */
interface Allocation {
  readonly map: DataView;
  count: number;
}

function emptyAllocation(layout: VdiLayout): Allocation {
  const bytes = new Uint8Array(layout.blockCount * 4).fill(0xff);
  return { map: new DataView(bytes.buffer), count: 0 };
}

/** Gives a block the next place, and says where that is. */
function allocate(allocation: Allocation, diskOffset: number, layout: VdiLayout): number {
  allocation.map.setUint32(Math.floor(diskOffset / vdiBlockSize) * 4, allocation.count, true);
  allocation.count += 1;
  return layout.dataOffset + (allocation.count - 1) * vdiBlockSize;
}

/** Everything that `extents` calls data has a place, in the order of the disk. */
async function allocationOf(source: BlockDevice, layout: VdiLayout): Promise<Allocation> {
  const allocation = emptyAllocation(layout);
  for await (const { length, offset } of dataRanges(source, vdiBlockSize)) {
    for (let block = offset; block < offset + length; block += vdiBlockSize) allocate(allocation, block, layout);
  }
  return allocation;
}

async function writeDynamic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VdiLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const allocation = emptyAllocation(layout);
  const ranges = dataRanges(source, vdiBlockSize);
  for await (const piece of diskPieces(source, ranges, { alignment: vdiBlockSize, signal })) {
    await writeBlock(target, piece, allocation, layout);
    onProgress?.(piece.offset + piece.length);
  }
  await writeTables(target, layout, allocation, 'last');
  await target.finish(layout.dataOffset + allocation.count * vdiBlockSize);
}

/** One block, where it is not all zero. */
async function writeBlock(
  target: ImageTarget,
  { bytes, offset }: DiskPiece,
  allocation: Allocation,
  layout: VdiLayout,
): Promise<void> {
  const runs = [...zeroRuns(bytes, zeroLength)];
  if (runs.every((run) => run.isZero)) return;
  const place = allocate(allocation, offset, layout);
  if (!target.zeroed) return target.write(bytes, place);
  for (const { end, isZero, start } of runs) {
    if (!isZero) await target.write(bytes.subarray(start, end), place + start);
  }
}

async function streamDynamic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VdiLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const allocation = await allocationOf(source, layout);
  await writeTables(target, layout, allocation, 'in order');
  let place = layout.dataOffset;
  const ranges = dataRanges(source, vdiBlockSize);
  for await (const piece of diskPieces(source, ranges, { alignment: vdiBlockSize, signal })) {
    await target.write(piece.bytes, place);
    place += piece.bytes.length;
    onProgress?.(piece.offset + piece.length);
  }
  await target.finish(place);
}

/** A static image is the disk itself behind the tables. */
async function writeStatic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VdiLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const allocation = emptyAllocation(layout);
  for (let block = 0; block < layout.blockCount; block += 1) allocate(allocation, block * vdiBlockSize, layout);
  if (!target.seekable) await writeTables(target, layout, allocation, 'in order');
  const { dataOffset } = layout;
  await writeRaw(
    source,
    {
      ...{ seekable: target.seekable, zeroed: target.zeroed },
      write: (bytes, offset) => target.write(bytes, dataOffset + offset),
      zero: (offset, length) => target.zero(dataOffset + offset, length),
      finish: () => undefined,
    },
    { ...(onProgress === undefined ? {} : { onProgress }), ...(signal === undefined ? {} : { signal }) },
  );
  const end = dataOffset + layout.blockCount * vdiBlockSize;
  const rest = end - dataOffset - source.size;
  if (rest > 0 && !target.zeroed) await target.zero(end - rest, rest);
  if (target.seekable) await writeTables(target, layout, allocation, 'last');
  await target.finish(end);
}

/** The header and the block map, with zeros up to the first block; the header `last` of all, or `in order`. */
async function writeTables(
  target: ImageTarget,
  layout: VdiLayout,
  { count, map }: Allocation,
  order: 'last' | 'in order',
): Promise<void> {
  const header = encodeVdiHeader(vdiHeaderFor(layout, count));
  if (order === 'in order') await target.write(header, 0);
  if (map.byteLength > 0) await target.write(new Uint8Array(map.buffer), layout.bmapOffset);
  const mapEnd = layout.bmapOffset + map.byteLength;
  const gap = layout.dataOffset - mapEnd;
  if (gap > 0 && !target.zeroed) await target.zero(mapEnd, gap);
  if (order === 'last') await target.write(header, 0);
}

import { type BlockDevice, isResizable } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import type { Interval } from '../../bytes/interval-set.ts';
import { CheckFindings } from '../check-findings.ts';
import { throwIfAborted } from '../disk-pieces.ts';
import { unsupportedImage } from '../image-errors.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { type DynamicHeader, dynamicHeaderLength } from './dynamic-header.ts';
import { bitmapLengthFor, unallocated } from './dynamic-map.ts';
import { footerLength } from './footer.ts';
import { diskSizeOf } from './geometry.ts';
import { readDynamicHeader } from './open-vhd.ts';
import { type FoundFooter, readFooter } from './read-footer.ts';

const sliceLength = 65536;
const maximumBlockCount = 2 ** 24;

/**
 * Looks for what is wrong with a VHD: a footer that is missing or unlike its copy, blocks that lie outside the file or
 * on one another. A repair of `all` makes the footer, or its copy, of the other one where nothing else is wrong.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` where not even its header can be read
 */
export async function checkVhd(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const { name } = options;
  const found = await readFooter(file, name);
  const findings = new CheckFindings('vhd', options, true);
  const size = diskSizeOf(found.footer);
  if (found.footer.type === 'fixed') {
    const what = `the disk has ${size} bytes, and the file ${found.endOffset} for it`;
    if (size > found.endOffset) findings.corruption(what);
    return findings.report(undefined, file.size);
  }
  const header = await readDynamicHeader(file, found, name);
  const blockCount = Math.ceil(size / header.blockSize);
  if (blockCount > maximumBlockCount) throw unsupportedImage(name, `it has ${blockCount} blocks, too many to check`);
  const places = await blockPlaces(file, header, blockCount, options);
  const { allocated, end, fragmented } = checkPlaces(places, header, found, findings);
  await checkFooters(file, found, end, findings);
  return findings.report({ total: blockCount, allocated, compressed: 0, fragmented }, file.size);
}

/** The footer goes to byte `end`, behind all else, where it is missing. */
async function checkFooters(
  file: BlockDevice,
  found: FoundFooter,
  end: number,
  findings: CheckFindings,
): Promise<void> {
  const repairs = findings.repair === 'all' && findings.corruptions === 0 && isResizable(file);
  const [copy, footer] = [new Uint8Array(footerLength), new Uint8Array(footerLength)];
  await file.read(copy, 0);
  if (found.isCopy) {
    if (repairs) {
      await file.resize(end);
      await file.write(copy, end);
    }
    return findings.corruption('the footer at the end of the file is missing or damaged', repairs);
  }
  await file.read(footer.subarray(0, file.size - found.endOffset), found.endOffset);
  if (Buffer.compare(copy, footer) === 0) return;
  if (repairs) await file.write(footer, 0);
  findings.corruption('the copy of the footer at the start of the file is another', repairs);
}

/** The first sector of each block, as the table has it. */
async function blockPlaces(
  file: BlockDevice,
  header: DynamicHeader,
  blockCount: number,
  { onProgress, signal }: CheckImageOptions,
): Promise<Uint32Array> {
  const places = new Uint32Array(blockCount);
  const slice = Buffer.alloc(sliceLength);
  for (let first = 0; first < blockCount; first += sliceLength / 4) {
    throwIfAborted(signal);
    const count = Math.min(sliceLength / 4, blockCount - first);
    await file.read(slice.subarray(0, count * 4), header.tableOffset + first * 4);
    for (let index = 0; index < count; index += 1) places[first + index] = slice.readUInt32BE(index * 4);
    onProgress?.((first + count) * header.blockSize);
  }
  return places;
}

function checkPlaces(
  places: Uint32Array,
  header: DynamicHeader,
  found: FoundFooter,
  findings: CheckFindings,
): { readonly allocated: number; readonly end: number; readonly fragmented: number } {
  const length = bitmapLengthFor(header.blockSize) + header.blockSize;
  const allocated = places.filter((sector) => sector !== unallocated);
  const fragmented = allocated.reduce((count, sector, index) => count + (sector < allocated[index - 1]! ? 1 : 0), 0);
  const metadata = metadataOf(found, header, places.length);
  let blocksEnd = 0;
  for (const sector of allocated.sort()) {
    const offset = sector * 512;
    const isOn = offset < blocksEnd || metadata.some((part) => offset < part.end && part.offset < offset + length);
    if (isOn) findings.corruption(`the block at byte ${offset} lies on another, or on a table`);
    if (offset + length > found.endOffset)
      findings.corruption(`the block at byte ${offset} lies past the end of the file`);
    blocksEnd = Math.max(blocksEnd, offset + length);
  }
  const end = metadata.reduce((last, part) => Math.max(last, alignUp(part.end, 512)), blocksEnd);
  return { allocated: allocated.length, end, fragmented };
}

/** What no block may be on. */
function metadataOf({ footer }: FoundFooter, { tableOffset }: DynamicHeader, blockCount: number): Interval[] {
  const headerOffset = footer.dataOffset ?? 0;
  return [
    { offset: 0, end: footerLength },
    { offset: headerOffset, end: headerOffset + dynamicHeaderLength },
    { offset: tableOffset, end: tableOffset + blockCount * 4 },
  ];
}

import type { BlockDevice } from '../../../block/block-device.ts';
import type { Steps } from '../../../block/run-steps.ts';
import { corruptImage } from '../../image-errors.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import { autoclearFeature } from '../features.ts';
import type { Qcow2Header } from '../header.ts';
import { extensionData, extensionType } from '../header-extensions.ts';
import {
  type BitmapEntry,
  type BitmapsExtension,
  decodeBitmapDirectory,
  decodeBitmapsExtension,
  isBitmapTableEntry,
} from './bitmap-directory.ts';

/** A bitmap that is larger is refused; in bytes. */
const maximumBitmapLength = 512 * 2 ** 20;
const maximumGranularityBits = 52;

/**
 * Where an image's bitmap directory is; undefined where it has none, or where somebody who does not know bitmaps wrote
 * to it since, so that they say nothing any more.
 *
 * @throws VarveError `CORRUPT`
 */
export function bitmapsExtensionOf(header: Qcow2Header, fileSize: number, name: string): BitmapsExtension | undefined {
  const data = extensionData(header.extensions, extensionType.bitmaps);
  if (data === undefined || (header.autoclearFeatures & autoclearFeature.bitmaps) === 0n) return undefined;
  return decodeBitmapsExtension(data, { clusterSize: 2 ** header.clusterBits, fileSize, name });
}

/**
 * The directory of an image's bitmaps, empty where there are none.
 *
 * @throws VarveError `CORRUPT`
 */
export function* readBitmapDirectory(file: BlockDevice, header: Qcow2Header, name: string): Steps<BitmapEntry[]> {
  const extension = bitmapsExtensionOf(header, file.size, name);
  if (extension === undefined) return [];
  const bytes = new Uint8Array(extension.directorySize);
  yield file.read(bytes, extension.directoryOffset);
  return decodeBitmapDirectory(bytes, extension.bitmapCount, name);
}

/** What is wrong with a bitmap's place and size for a disk of that header; undefined where nothing is. */
function bitmapProblem(entry: BitmapEntry, header: Qcow2Header, fileSize: number): string | undefined {
  const clusterSize = 2 ** header.clusterBits;
  const { granularityBits, tableOffset, tableSize } = entry;
  if (granularityBits < 9 || granularityBits > maximumGranularityBits)
    return `its granularity_bits is ${granularityBits}`;
  if (tableSize * clusterSize > maximumBitmapLength + clusterSize) return `its bitmap_table_size is ${tableSize}`;
  const isPlaced = tableOffset !== 0 && tableOffset % clusterSize === 0 && tableOffset + tableSize * 8 <= fileSize;
  return isPlaced ? undefined : `its bitmap_table_offset is ${tableOffset}, which is no place for its table`;
}

/**
 * The table of a bitmap: 8 bytes an entry.
 *
 * @throws VarveError `CORRUPT`
 */
export function* readBitmapTable(
  file: BlockDevice,
  header: Qcow2Header,
  entry: BitmapEntry,
  name: string,
): Steps<DataView<ArrayBuffer>> {
  const problem = bitmapProblem(entry, header, file.size);
  if (problem !== undefined) throw corruptImage(name, `bitmap ${JSON.stringify(entry.name)}: ${problem}`);
  const table = new Uint8Array(entry.tableSize * 8);
  if (table.length > 0) yield file.read(table, entry.tableOffset);
  return new DataView(table.buffer);
}

/**
 * That the entries of a bitmap table can be what they are.
 *
 * @throws VarveError `CORRUPT`
 */
export function checkBitmapTable(table: DataView, { clusterSize, file, name }: BitmapFile): void {
  for (let position = 0; position < table.byteLength; position += 8) {
    const [high, low] = [table.getUint32(position), table.getUint32(position + 4)];
    const offset = hostOffsetOf(high, low);
    if (isBitmapTableEntry(high, low, clusterSize) && (offset === 0 || offset + clusterSize <= file.size)) continue;
    throw corruptImage(name, `entry ${position / 8} of a bitmap table cannot be`);
  }
}

/** Where a bitmap is. */
interface BitmapFile {
  readonly clusterSize: number;
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
}

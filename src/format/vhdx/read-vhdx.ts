import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import { type BatLayout, batEntryLength, batLayout } from './bat.ts';
import { type ReadMetadata, readMetadata } from './disk-parameters.ts';
import { currentHeader, headerLength, headerPlaces, startsAsVhdx, type VhdxHeader } from './file-header.ts';
import type { PatchedFile } from './patched-file.ts';
import { decodeRegions, type Region, type Regions, regionTableLength } from './region-table.ts';
import { replayLog } from './replay-log.ts';

/** What there is to know of a VHDX before its disk is read. */
export interface ReadVhdx extends ReadMetadata {
  /** With its log replayed. */
  readonly file: BlockDevice;
  readonly header: VhdxHeader;
  readonly regions: Regions;
  readonly layout: BatLayout;
  /** Whether there was anything to replay. */
  readonly isDirty: boolean;
}

/**
 * Reads the header, the log and the metadata of a file, with all that reading relies on checked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function readVhdx(original: BlockDevice, name: string): Promise<ReadVhdx> {
  if (original.size < headerPlaces.end || !startsAsVhdx(await readAt(original, 0, 8))) {
    throw corruptImage(name, 'it does not start with vhdxfile, or is shorter than the header section of 1 MiB');
  }
  const header = currentHeader(
    await readAt(original, headerPlaces.headers[0], headerLength),
    await readAt(original, headerPlaces.headers[1], headerLength),
    name,
  );
  const replayed: PatchedFile | undefined = await replayLog(original, header, name);
  const file = replayed ?? original;
  const regions = decodeRegions(
    await readAt(file, headerPlaces.regionTables[0], regionTableLength),
    await readAt(file, headerPlaces.regionTables[1], regionTableLength),
    name,
  );
  checkPlaces(header, regions, file.size, name);
  const metadata = await readMetadata(file, regions.metadata, name);
  const { blockSize, hasParent, logicalSectorSize, size } = metadata.parameters;
  const layout = batLayout(size, blockSize, logicalSectorSize, hasParent);
  if (layout.entryCount * batEntryLength > regions.bat.length) {
    const entries = `its disk takes ${layout.entryCount} entries`;
    throw corruptImage(name, `the BAT region has ${regions.bat.length} bytes, and ${entries} of 8 bytes`);
  }
  return { file, header, regions, layout, isDirty: replayed !== undefined, ...metadata };
}

async function readAt(file: BlockDevice, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.read(bytes, offset);
  return bytes;
}

function checkPlaces(header: VhdxHeader, { bat, metadata }: Regions, fileSize: number, name: string): void {
  const log = { offset: header.logOffset, length: header.logLength };
  const regions: readonly (readonly [string, Region])[] = [
    ['BAT', bat],
    ['metadata region', metadata],
    ['log', log],
  ];
  for (const [what, { length, offset }] of regions) {
    if (length === 0 || offset + length <= fileSize) continue;
    throw corruptImage(
      name,
      `the ${what} at byte ${offset} lies past the end of the file, which has ${fileSize} bytes`,
    );
  }
  const sorted = regions.filter(([, { length }]) => length > 0).sort(([, one], [, other]) => one.offset - other.offset);
  for (const [index, [what, { offset }]] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || before[1].offset + before[1].length <= offset) continue;
    throw corruptImage(name, `the ${what} at byte ${offset} lies on the ${before[0]}`);
  }
}

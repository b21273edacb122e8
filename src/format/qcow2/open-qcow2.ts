import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import type { FormatDevice, OpenImageOptions } from '../image-format.ts';
import { checkHeader, hasFeature } from './check-header.ts';
import { type ClusterData, externalData, ownData } from './cluster-data.ts';
import type { Qcow2Header } from './header.ts';
import { extensionData, extensionType } from './header-extensions.ts';
import { ImageFile } from './image-file.ts';
import { ImageTables, tableCacheFor } from './image-tables.ts';
import { L1Table } from './l1-table.ts';
import { Qcow2Device } from './qcow2-device.ts';
import { backingFormatOf } from './qcow2-information.ts';
import { readHeader } from './read-header.ts';

/**
 * The disk in a qcow2 image. One that says it is corrupt, or was not closed, can be read all the same; to be written,
 * one that was not closed is repaired first.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `READ_ONLY` where it is corrupt or its file cannot be written,
 *   `PERMISSION` where it has a backing file, or a data file, and nothing that opens it is given
 */
export async function openQcow2(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name, writable = false } = options;
  const header = await readHeader(file, name);
  checkHeader(header, file.size, name);
  if (writable) refuseWriting(file, header, name);
  const image = new ImageFile(file, header, name);
  const data = await dataOf(file, header, options);
  const l1 = await runSteps(L1Table.open(image));
  const parts = { image, data, l1, tables: tableCacheFor(image) };
  const tables = writable ? await runSteps(ImageTables.open(parts)) : undefined;
  const backing = await openBackingOf(header, options);
  return new Qcow2Device({ ...parts, backing, changes: tables });
}

function refuseWriting(file: BlockDevice, header: Qcow2Header, name: string): void {
  const refusal = (why: string): VarveError => new VarveError('READ_ONLY', `cannot open ${name} to be written: ${why}`);
  if (hasFeature(header, 'corrupt')) throw refusal('it says that it is corrupt; check and repair it first');
  if (!file.supports.write) throw refusal('its file is read-only');
}

async function dataOf(file: BlockDevice, header: Qcow2Header, options: OpenImageOptions): Promise<ClusterData> {
  if (!hasFeature(header, 'externalDataFile')) return ownData(file);
  const extension = extensionData(header.extensions, extensionType.externalDataFile);
  const doing = `cannot open ${options.name}: its content is in an external data file`;
  if (extension === undefined) throw new VarveError('CORRUPT', `${doing}, and it does not say in which`);
  const name = new TextDecoder().decode(extension);
  if (options.openPart !== undefined) return externalData(await options.openPart(name));
  const reason = "and an image's word is no reason to open another file; allow it if you trust it";
  throw new VarveError('PERMISSION', `${doing} ${JSON.stringify(name)}, ${reason}`);
}

async function openBackingOf(header: Qcow2Header, options: OpenImageOptions): Promise<BlockDevice | undefined> {
  if (header.backingFile === undefined) return undefined;
  if (options.openBacking !== undefined) return options.openBacking(header.backingFile, backingFormatOf(header));
  throw new VarveError(
    'PERMISSION',
    `cannot open ${options.name}: it builds on the file ${JSON.stringify(header.backingFile)}, and an image's word is no ` +
      'reason to open another file; allow backing files if you trust it',
  );
}

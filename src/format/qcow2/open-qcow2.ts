import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import { FileHoles } from '../file-holes.ts';
import type { FormatDevice, OpenImageOptions } from '../image-format.ts';
import { mergedChain } from '../merged-chain.ts';
import { checkHeader, hasFeature } from './check-header.ts';
import { type ClusterData, externalData, ownData } from './cluster-data.ts';
import { cryptMethod } from './encryption/encryption-header.ts';
import type { Qcow2Header } from './header.ts';
import { extensionData, extensionType } from './header-extensions.ts';
import { readContents } from './image-contents.ts';
import { ImageFile } from './image-file.ts';
import { ImageTables, tableCacheFor } from './image-tables.ts';
import { L1Table } from './l1-table.ts';
import { Qcow2Device } from './qcow2-device.ts';
import { backingFormatOf } from './qcow2-information.ts';
import { readHeader } from './read-header.ts';

/** Fewer L2 tables are read quicker than the file's holes are found. */
const tablesWorthHoles = 4096;

/**
 * The disk in a qcow2 image. One that says it is corrupt, or was not closed, can be read all the same; to be written,
 * one that was not closed is repaired first.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `READ_ONLY` where it is corrupt or its file cannot be written,
 *   `PERMISSION` where it has a backing file, or a data file, and nothing that opens it is given, or
 *   where it is encrypted and the right secret is not
 */
export async function openQcow2(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name, writable = false } = options;
  let header = await readHeader(file, name);
  checkHeader(header, file.size, name);
  if (writable) refuseWriting(file, header, name);
  if (writable && hasFeature(header, 'dirty')) header = await repaired(file, name);
  return openWithHeader(file, header, options);
}

/** The disk that a checked header tells of; that may be another header than the file has, where the disk is only read. */
export async function openWithHeader(
  file: BlockDevice,
  header: Qcow2Header,
  options: OpenImageOptions,
): Promise<FormatDevice> {
  const { name, writable = false } = options;
  const contents = await readContents(file, header, name);
  const image = new ImageFile(file, header, name);
  await using opened = new AsyncDisposableStack();
  const data = await dataOf(file, header, options);
  if (data.isExternal) opened.use(data.file);
  const l1 = await runSteps(L1Table.open(image));
  if (!writable && l1.entryCount >= tablesWorthHoles) l1.leaveOutEmpty(await FileHoles.of(file));
  const parts = { image, data, l1, tables: tableCacheFor(image) };
  const tables = writable ? await runSteps(ImageTables.open(parts)) : undefined;
  const backing = await openBackingOf(header, options);
  opened.use(backing);
  const device = new Qcow2Device({ ...parts, backing, contents, changes: tables });
  opened.move();
  return device;
}

function refuseWriting(file: BlockDevice, header: Qcow2Header, name: string): void {
  const refusal = (why: string): VarveError => new VarveError('READ_ONLY', `cannot open ${name} to be written: ${why}`);
  if (hasFeature(header, 'corrupt')) throw refusal('it says that it is corrupt; check and repair it first');
  if (!file.supports.write) throw refusal('its file is read-only');
}

/** Sets right the refcounts of an image that was not closed by who wrote to it last; gives its new header. */
async function repaired(file: BlockDevice, name: string): Promise<Qcow2Header> {
  const { checkQcow2 } = await import('./check/check-qcow2.ts');
  const { corruptions, problems } = await checkQcow2(file, { name, repair: 'all' });
  if (corruptions === 0) return readHeader(file, name);
  const found = `it was not closed, and ${corruptions} of its faults cannot be repaired, first: ${problems[0]}`;
  throw new VarveError('CORRUPT', `cannot open ${name} to be written: ${found}`);
}

async function dataOf(file: BlockDevice, header: Qcow2Header, options: OpenImageOptions): Promise<ClusterData> {
  if (options.informationOnly || header.cryptMethod === cryptMethod.none) return plainDataOf(file, header, options);
  const { openEncryption } = await import('./encryption/open-encryption.ts');
  const cipher = await openEncryption(file, header, options);
  const { encryptedData } = await import('./encryption/encrypted-data.ts');
  return encryptedData(await plainDataOf(file, header, options), cipher);
}

async function plainDataOf(file: BlockDevice, header: Qcow2Header, options: OpenImageOptions): Promise<ClusterData> {
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
  if (options.openBacking !== undefined) {
    return mergedChain(await options.openBacking(header.backingFile, backingFormatOf(header)));
  }
  throw new VarveError(
    'PERMISSION',
    `cannot open ${options.name}: it builds on the file ${JSON.stringify(header.backingFile)}, and an image's word is no ` +
      'reason to open another file; allow backing files if you trust it',
  );
}

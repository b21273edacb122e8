import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatSize } from '../../base/size.ts';
import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { formatNamed, writableFormatNamed } from '../../format/formats.ts';
import type { ImageFormat, ImageMeasure } from '../../format/image-format.ts';
import { freeSpace } from '../../linux/free-space.ts';
import { log } from '../../log/log.ts';
import { checkFile } from '../check-disk.ts';
import { exportDisk } from '../export-disk.ts';
import { type FileDisk, openFileDisk } from '../file-disk.ts';
import { requireNoChildren } from '../file-history/children.ts';
import { type ImageFileOptions, writeOptionsOf } from '../write-options.ts';
import { ConversionJournal, type ConversionPlan, type ConversionWay } from './conversion-journal.ts';
import { finishFromSpool, writeSpool } from './convert-by-spool.ts';
import { convertStepwise } from './convert-stepwise.ts';
import { planSteps } from './step-plan.ts';
import { wrapInPlace } from './wrap-in-place.ts';

/** How a file is converted in its place. */
export interface ConvertInPlaceOptions extends ImageFileOptions {
  /** The name of the format it is to have; not needed where a conversion that was cut off is to be gone on with. */
  readonly to?: string | undefined;
  /** The name of the format it has; its content shows it where nothing is given. */
  readonly from?: string | undefined;
  /** How much of the free space may be taken, in bytes; all of it where nothing is given. */
  readonly room?: number | undefined;
  /** A directory on another file system, which has room for the new file, where there is none for two. */
  readonly spool?: string | undefined;
  /** The register of overlays, which tells of those that build on the file and are elsewhere. */
  readonly register?: string | undefined;
}

/** What came of a conversion in place. */
export interface ConvertedInPlace {
  /** The name of the format the file has now. */
  readonly format: string;
  /** Of the disk, in bytes. */
  readonly size: number;
  /** How it was done: `copy` where there was room for both, in a new file that took the old one's name. */
  readonly way: ConversionWay | 'copy';
  /** Whether it was begun before, and gone on with. */
  readonly resumed: boolean;
}

/** Left free, so that the file system's own tables have room, in bytes. */
const reserve = 2 ** 20;

/**
 * Converts a disk file to another format in its place, where there need not be room for two. It measures first, and
 * begins nothing that cannot end. Cut off at any moment, the whole disk is there: in the file, or, while it is converted
 * step by step, in the two files of the directory `FILE.converting`; calling this again goes on, or goes back first.
 *
 * @throws VarveError `NO_SPACE` beforehand, `BUSY` while others use the file or build on it, `INVALID`, `UNSUPPORTED` for
 *   what would be lost, `ABORTED`
 */
export async function convertInPlace(path: string, options: ConvertInPlaceOptions = {}): Promise<ConvertedInPlace> {
  return await log.scope(`convert ${path} in place`, async () => {
    // Where it was cut off there may be no file of that name.
    const begun = await ConversionJournal.find(await fs.realpath(path).catch(() => path));
    if (begun !== undefined) return await resume(begun, options);
    return await begin(await realPath(path), options);
  });
}

async function resume(journal: ConversionJournal, { signal, to }: ConvertInPlaceOptions): Promise<ConvertedInPlace> {
  await using open = journal;
  const { path, plan } = open;
  if (to !== undefined && formatNamed(to).name !== plan.to) {
    throw new VarveError('INVALID', `${path} is on its way to ${plan.to}; let that end first, without --to`);
  }
  log(1, 'going on with what was cut off');
  await run(open, signal);
  return { format: plan.to, size: plan.size, way: plan.way, resumed: true };
}

async function begin(path: string, options: ConvertInPlaceOptions): Promise<ConvertedInPlace> {
  const { register, signal, to } = options;
  if (to === undefined) throw new VarveError('INVALID', `convert ${path} to what? give --to`);
  const format = writableFormatNamed(to);
  await requireNoChildren(path, `convert ${path}`, { register, advice: 'rebase or flatten them first' });
  const chosen = await choose(path, format, options);
  if (chosen === 'copy') return await convertByCopy(path, format, options);
  const plan = chosen.way === 'spool' ? { ...chosen, spool: await spoolFor(path, format, options) } : chosen;
  await requireUnchanged(path, plan).catch(async (error) => {
    if (plan.spool !== undefined) await fs.rm(plan.spool, { force: true });
    throw error;
  });
  await using journal = await ConversionJournal.begin(path, plan);
  await run(journal, signal);
  return { format: format.name, size: chosen.size, way: chosen.way, resumed: false };
}

/** Whether the file is nobody else's, and as large as it was when it was measured. @throws VarveError `BUSY`, `CONFLICT` */
async function requireUnchanged(path: string, { from, size }: ConversionPlan): Promise<void> {
  await using file = await openFileDevice(path, { lock: true });
  if (from !== 'raw' || file.size === size) return;
  throw new VarveError('CONFLICT', `cannot convert ${path} in place: its size changed meanwhile`);
}

async function run(journal: ConversionJournal, signal: AbortSignal | undefined): Promise<void> {
  const { way } = journal.plan;
  if (way === 'wrap') return await wrapInPlace(journal, signal);
  try {
    await (way === 'spool' ? finishFromSpool : convertStepwise)(journal, signal);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    const place = way === 'spool' ? journal.plan.spool : `two parts in ${journal.directory}`;
    const where = `the disk is in ${place}; varve convert --in-place ${journal.path} goes on`;
    throw new VarveError(error.code, `${error.message}: ${where}`, { cause: error });
  }
}

async function spoolFor(path: string, { name }: ImageFormat, options: ConvertInPlaceOptions): Promise<string> {
  const { from, room: _room, spool = '', to: _to, ...given } = options;
  await using disk = await openFileDisk(path, { format: from, asItIs: true });
  return await writeSpool(disk, { ...given, spool, format: name, room: await roomFor(path, options) });
}

/** A new file beside the old one, which takes its name when it is whole. */
async function convertByCopy(
  path: string,
  { name }: ImageFormat,
  { from, room: _room, spool: _spool, to: _to, ...options }: ConvertInPlaceOptions,
): Promise<ConvertedInPlace> {
  await using disk = await openFileDisk(path, { format: from, asItIs: true });
  const { size } = await exportDisk(disk, path, { ...options, format: name, force: true });
  return { format: name, size, way: 'copy', resumed: false };
}

/** How it can be done. @throws VarveError `NO_SPACE` where it cannot */
async function choose(
  path: string,
  format: ImageFormat,
  options: ConvertInPlaceOptions,
): Promise<ConversionPlan | 'copy'> {
  await using disk = await openFileDisk(path, { format: options.from, asItIs: true });
  refuseLoss(disk, format);
  const { compression } = options;
  const room = await roomFor(path, options);
  const measure = await measureFor(disk, format, options);
  const plan = planFor(disk, format, options);
  const isAlone = (await fs.stat(path)).nlink === 1;
  const overhead = measure.required - (await dataLength(disk));
  const canWrap = isAlone && compression === undefined && (await isWrappable(disk, format, options));
  if (canWrap && overhead <= room) return { ...plan, way: 'wrap' };
  // How far compression gets is not known before, so that it is not counted on.
  if (measure.required <= room) return 'copy';
  if (options.spool !== undefined && isAlone) return { ...plan, way: 'spool' };
  await requireStepwise(disk, format, options, isAlone);
  const runs = () => mapOf(disk);
  const granularity = options.clusterSize ?? (format.name === 'raw' ? 4096 : 65536);
  const { needed, stepLength } = await planSteps({ runs, overhead: Math.max(0, overhead), granularity, room });
  if (stepLength !== undefined) return { ...plan, way: 'stepwise', stepLength };
  throw noSpace(path, measure.required, needed, room);
}

/** How much may be taken beside the file, in bytes. */
async function roomFor(path: string, { room = Number.POSITIVE_INFINITY }: ConvertInPlaceOptions): Promise<number> {
  return Math.max(0, Math.min(room, (await freeSpace(dirname(path))) - reserve));
}

/** Whether the file can become a qcow2 image around what is in it. */
async function isWrappable(disk: FileDisk, format: ImageFormat, { formatOptions }: ConvertInPlaceOptions) {
  const { device, information } = disk;
  if (information.format !== 'raw' || format.name !== 'qcow2' || formatOptions !== undefined) return false;
  const head = new Uint8Array(Math.min(512, device.size));
  await device.read(head, 0);
  // A disk that looks like an image itself could not be told from one that is done.
  return head.length > 0 && format.probe(head, device.size) === 0;
}

function planFor(
  { device, information }: FileDisk,
  format: ImageFormat,
  { clusterSize, formatOptions }: ConvertInPlaceOptions,
): Omit<ConversionPlan, 'way'> {
  return {
    version: 1,
    from: information.format,
    to: format.name,
    size: device.size,
    ...(clusterSize === undefined ? {} : { clusterSize }),
    ...(formatOptions === undefined ? {} : { formatOptions }),
  };
}

/** What the new file would not have. */
function refuseLoss({ information, kind, label }: FileDisk, format: ImageFormat): void {
  const doing = `cannot convert ${label} in place`;
  if (kind !== 'file') throw new VarveError('INVALID', `${doing}: it is a ${kind}, not a file`);
  if (information.format === format.name) throw new VarveError('INVALID', `${doing}: it is ${format.name} already`);
  const { encryption, parts = [], snapshotCount = 0 } = information;
  const lost = [
    ...(snapshotCount > 0 ? ['the snapshots inside it'] : []),
    ...(encryption === undefined ? [] : ['its encryption']),
    ...(parts.length === 0 ? [] : [`its parts in ${parts.join(', ')}`]),
  ];
  if (lost.length === 0) return;
  throw new VarveError('UNSUPPORTED', `${doing}: ${lost.join(', ')} would be lost; convert it to another file`);
}

async function measureFor(disk: FileDisk, format: ImageFormat, options: ConvertInPlaceOptions): Promise<ImageMeasure> {
  const measure = await format.measure?.(disk.device, writeOptionsOf(options));
  // A raw file's length is not what it takes.
  if (measure !== undefined && format.name !== 'raw') return measure;
  const required = await dataLength(disk);
  return { required, fullyAllocated: disk.device.size };
}

async function dataLength({ device }: FileDisk): Promise<number> {
  let length = 0;
  for await (const extent of device.extents(0, device.size)) if (extent.kind === 'data') length += extent.length;
  return length;
}

/** What moving a disk piece by piece takes. @throws VarveError `NO_SPACE` with what is missing */
async function requireStepwise(
  { image, information, label }: FileDisk,
  format: ImageFormat,
  { compression, from }: ConvertInPlaceOptions,
  isAlone: boolean,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new VarveError('NO_SPACE', `cannot convert ${label} in place: there is no room for two files, and ${why}`);
  };
  if (compression !== undefined) refuse('compressed files are written in one go only');
  if (!(await isWrittenInPlace(format))) refuse(`${format.name} files are written in one go only`);
  if (image.map === undefined) refuse(`where things are in a ${information.format} file is not known here`);
  if (information.backing !== undefined) refuse('it builds on another one; flatten it first');
  if (!isAlone) refuse('it has another name, under which it would lose its content');
  if (information.format === 'raw') return;
  // A file that contradicts itself may have one place for two things, and giving back one would lose the other.
  const { report } = await checkFile(label, { format: from ?? information.format });
  if (report.corruptions > 0) refuse('it is damaged; repair it first (varve check --repair all)');
}

/** Whether images of a format are made empty and changed then. Nothing but trying tells for sure. */
async function isWrittenInPlace(format: ImageFormat): Promise<boolean> {
  const file = memoryDevice(0);
  try {
    await format.create?.(file, { size: 2 ** 20 });
    await using image = await format.open(file, { name: format.name, writable: true });
    return format.create !== undefined && image.supports.write;
  } catch {
    return false;
  }
}

async function* mapOf({ image }: FileDisk) {
  if (image.map !== undefined && image.size > 0) yield* image.map(0, image.size);
}

function noSpace(path: string, required: number, needed: number, room: number): VarveError {
  const sizes = `${formatSize(required)} beside it, or ${formatSize(needed)} step by step`;
  return new VarveError(
    'NO_SPACE',
    `cannot convert ${path} in place: it takes ${sizes}, and there are ${formatSize(room)}`,
  );
}

async function realPath(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    throw systemError(`convert ${path}`, error);
  }
}

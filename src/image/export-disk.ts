import fs from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { formatSize } from '../base/size.ts';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { deviceTarget } from '../format/device-target.ts';
import { formatForPath, writableFormatNamed } from '../format/formats.ts';
import type { WritableFormat } from '../format/image-format.ts';
import type { ImageTarget } from '../format/image-target.ts';
import { streamTarget } from '../format/stream-target.ts';
import { diskUsers } from '../linux/disk-users.ts';
import { freeSpace } from '../linux/free-space.ts';
import { log } from '../log/log.ts';
import { openAddressDevice } from './address-device.ts';
import { copyDevice } from './copying/copy-device.ts';
import { type DiskAddress, diskAddress } from './disk-address.ts';
import { existsError, writeNewFile } from './new-file.ts';
import { type ReadableDisk, readInOrder } from './read-in-order.ts';
import { syncedFileTarget } from './synced-file-target.ts';
import { type ImageFileOptions, writeOptionsOf } from './write-options.ts';

/** How a disk is exported. */
export interface ExportOptions extends ImageFileOptions {
  /** The name of the format; the target's extension tells it where nothing is given. */
  readonly format?: string | undefined;
  /** Replaces a file that exists, and overwrites a block device and what is at an NBD address. */
  readonly force?: boolean | undefined;
}

/** What came of an export. */
export interface ExportResult {
  /** The name of the format it was written in. */
  readonly format: string;
  /** The disk's size in bytes. */
  readonly size: number;
}

/** To an NBD server, where it lets several be. */
const connections = 4;

/** An export under way. */
interface Job {
  readonly disk: ReadableDisk;
  readonly format: WritableFormat;
  readonly options: ExportOptions;
}

/**
 * Writes a disk to a file, a block device, an NBD address or a stream. A file is there whole and durable, or not at all, and what is
 * zero takes no space in it; what is a device is flushed. A stream is left open.
 *
 * @throws VarveError `EXISTS`, `NO_SPACE` beforehand where the need is known, `INVALID` for options that do not go
 *   together, `UNSUPPORTED` for a format that cannot be written, `ABORTED`, and what the disk throws
 */
export async function exportDisk(
  disk: ReadableDisk,
  target: string | Writable,
  options: ExportOptions = {},
): Promise<ExportResult> {
  const path = typeof target === 'string' && diskAddress(target) === undefined ? target : '';
  const format = exportFormat(path, options.format);
  if (options.compression !== undefined && format.name === 'raw') {
    throw new VarveError('INVALID', 'a raw file cannot be compressed; give --format qcow2, or name the file so');
  }
  return await log.scope(`export ${disk.label}`, async () => {
    const job: Job = { disk, format, options };
    if (typeof target === 'string') await exportToPath(job, target);
    else await writeImage(job, streamTarget(target, 'standard output'));
    return { format: format.name, size: disk.device.size };
  });
}

/** Endings of formats that can be read by others only: a raw file of such a name would mislead. */
const foreignExtension = /\.(dmg)$/i;

/** The format to write: the one that is named, else the one that such files have, else raw. @throws INVALID, UNSUPPORTED */
function exportFormat(target: string, name: string | undefined): WritableFormat {
  if (name !== undefined) return writableFormatNamed(name);
  const extension = foreignExtension.exec(target)?.[1];
  if (extension === undefined) return writableFormatNamed(formatForPath(target)?.name ?? 'raw');
  const advice = 'name the target otherwise, or say which format it is to have';
  throw new VarveError('UNSUPPORTED', `cannot write ${target}: ${extension} files are not written here; ${advice}`);
}

async function writeImage({ disk, format, options }: Job, target: ImageTarget): Promise<void> {
  const { device, label } = disk;
  log(1, 'writing %s', format.name);
  using progress = log.progress({ label: `exporting ${label}`, totalBytes: device.size });
  const onProgress = (position: number) => progress.advance(position - progress.bytes);
  const writeOptions = { ...writeOptionsOf(options), onProgress };
  await readInOrder(disk, (inOrder) => format.write(inOrder, target, writeOptions));
}

async function exportToPath(job: Job, path: string): Promise<void> {
  const address = diskAddress(path);
  if (address !== undefined) return await exportToAddress(job, address);
  const stats = statOf(path);
  if (stats === undefined || stats.isFile()) return await exportToFile(job, path, stats !== undefined);
  if (stats.isBlockDevice()) return await exportToBlockDevice(job, path);
  if (stats.isFIFO() || stats.isCharacterDevice()) return await exportToPipe(job, path);
  const kind = stats.isDirectory() ? 'a directory' : 'a socket';
  throw new VarveError('INVALID', `cannot write ${path}: it is ${kind}; name a file`);
}

async function exportToFile(job: Job, path: string, exists: boolean): Promise<void> {
  const { force = false } = job.options;
  if (exists && !force) throw existsError(path);
  if (exists) requireUnused(path);
  await requireSpace(job, path);
  await writeNewFile(path, { force }, (file) => writeImage(job, syncedFileTarget(file, path)));
}

/** Whoever has it open would go on with a file that nobody finds any more. @throws VarveError `BUSY` */
function requireUnused(path: string): void {
  const [user] = diskUsers(path);
  if (user === undefined) return;
  throw new VarveError('BUSY', `cannot replace ${path}: ${user.program} (process ${user.pid}) has it open`);
}

/** @throws VarveError `NO_SPACE` when more is to be written than fits; what compression leaves of it is not known */
async function requireSpace({ disk: { device, label }, options }: Job, path: string): Promise<void> {
  if (options.compression !== undefined || device.size === 0) return;
  let need = 0;
  for await (const extent of device.extents(0, device.size)) if (extent.kind === 'data') need += extent.length;
  // Whatever keeps this from being answered, the writing itself will say.
  const free = await freeSpace(dirname(path)).catch(() => Number.POSITIVE_INFINITY);
  if (need <= free) return;
  const sizes = `it takes ${formatSize(need)}, and ${formatSize(free)} are free there`;
  throw new VarveError('NO_SPACE', `cannot export ${label} to ${path}: ${sizes}`);
}

async function exportToBlockDevice(job: Job, path: string): Promise<void> {
  requireForce(job, path, 'this block device');
  await using device = await openFileDevice(path, { lock: true });
  await exportToDevice(job, device, path);
}

async function exportToAddress(job: Job, address: DiskAddress): Promise<void> {
  requireForce(job, address.label, 'the disk there');
  await using device = await openAddressDevice(address, { writable: true, connections });
  await exportToDevice(job, device, address.label);
}

/** @throws VarveError `EXISTS` */
function requireForce({ options }: Job, label: string, what: string): void {
  if (options.force) return;
  throw new VarveError('EXISTS', `cannot write ${label}: all that is on ${what} would be lost; give --force`);
}

async function exportToDevice(job: Job, device: BlockDevice, label: string): Promise<void> {
  const { disk, format } = job;
  const { size } = disk.device;
  if (format.name === 'raw' && device.size < size) {
    const sizes = `it has ${formatSize(device.size)}, and the disk ${formatSize(size)}`;
    throw new VarveError('NO_SPACE', `cannot export ${disk.label} to ${label}: ${sizes}`);
  }
  if (format.name === 'raw') await copyOver(job, device);
  else await writeImage(job, deviceTarget(device));
  await device.flush();
}

/** With many requests at a time: the device may be far away. */
async function copyOver({ disk, options: { signal } }: Job, device: BlockDevice): Promise<void> {
  using progress = log.progress({ label: `exporting ${disk.label}`, totalBytes: disk.device.size });
  const onProgress = (count: number) => progress.advance(count);
  await readInOrder(disk, (inOrder) => copyDevice(inOrder, device, { signal, onProgress }));
}

/** A named pipe, or a character device such as /dev/null. */
async function exportToPipe(job: Job, path: string): Promise<void> {
  const stream = fs.createWriteStream(path);
  try {
    await writeImage(job, streamTarget(stream, path));
    stream.end();
    await finished(stream);
  } finally {
    stream.destroy();
  }
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw systemError(`write ${path}`, error);
  }
}

/**
 * Reads disk images in a browser: what is inside an image that somebody chose, or that is on a server, without downloading
 * it.
 *
 * ```ts
 * import { openDisk, openFiles } from 'varve/browser';
 *
 * await using disk = await openDisk('/images/debian.qcow2');
 * await using files = await openFiles(disk);
 * for (const { name } of await files.list('/etc')) console.log(name);
 * console.log(new TextDecoder().decode(await files.read('/etc/os-release')));
 * ```
 *
 * Failures of the world are `VarveError`s with a `code`.
 *
 * @module
 */

export { formatSize } from '../base/size.ts';
export { type ErrorCode, isVarveError, VarveError } from '../base/varve-error.ts';
export type { BlockDevice } from '../block/block-device.ts';
export type { FileKind, FileStat, Timestamp } from '../filesystem/file-system.ts';
export type { FormatInformation } from '../format/image-format.ts';
export type { MountedVolume } from '../guest/mount-volumes.ts';
export type { FetchedAmount } from './counted-source.ts';
export type { Fetch } from './fetch-source.ts';
export { listVolumes } from './list-volumes.ts';
export { type OpenDiskOptions, type OpenedDisk, openDisk } from './open-disk.ts';
export { type DiskFile, type DiskFiles, openFiles, type ReadFileOptions } from './open-files.ts';
export type { DiskSource } from './open-source.ts';

import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import type { FormatDevice } from '../../format/image-format.ts';
import { FilteredImage } from './filtered-image.ts';

/** What a filter learns of the disk that it is put over. */
export interface FilterContext {
  /** What errors call the disk. */
  readonly label: string;
  /** Takes what a filter has to say at the end. */
  readonly report: (text: string) => void;
}

/** A filter over the disk in a file. */
export interface DiskFilter {
  /** As it was asked for: `partition=2`. */
  readonly spec: string;
  /** Whether nothing that is written to it reaches what it is over. */
  readonly keepsWrites: boolean;
  /** Puts it over a device, which belongs to it from then on; where it fails, it stays the caller's. */
  readonly apply: (device: BlockDevice, context: FilterContext) => MaybePromise<BlockDevice>;
}

/** What a file filter can open, and how. */
export interface FileFilterContext {
  readonly label: string;
  /** Opens another file beside the one it is about; left out where that is no file of this machine. */
  readonly openFile?: ((path: string) => Promise<BlockDevice>) | undefined;
  /** What is inside a file, where it is compressed; the file belongs to what is returned. */
  readonly unpack: (file: BlockDevice) => Promise<BlockDevice>;
  /** Whether the disk is to be changed. */
  readonly writable: boolean;
}

/** A filter of the file that a disk is in: it is there before the file's format is looked for. */
export interface FileFilter {
  readonly spec: string;
  /** Gives the file to be read instead, to which the one that is given belongs then, also where it fails. */
  readonly open: (file: BlockDevice, context: FileFilterContext) => Promise<BlockDevice>;
}

/** The filters that a disk is opened with, each in the order given: the last one is the outermost. */
export interface FilterChain {
  readonly fileFilters: readonly FileFilter[];
  readonly diskFilters: readonly DiskFilter[];
  readonly report: (text: string) => void;
}

/** Whether nothing that is written reaches the disk itself, which is opened for reading then. */
export function keepsWrites(chain: FilterChain | undefined): boolean {
  return chain?.diskFilters.some((filter) => filter.keepsWrites) ?? false;
}

/**
 * Puts the disk filters of a chain over a device, which belongs to what is returned, and is disposed of where that
 * fails.
 *
 * @throws VarveError `OUT_OF_RANGE`, `NOT_FOUND`, `CORRUPT`, and what opening a filter's files throws; the message names
 *   the filter
 */
export async function filteredDevice(
  device: BlockDevice,
  chain: FilterChain | undefined,
  label: string,
): Promise<BlockDevice> {
  let top = device;
  for (const { apply, spec } of chain?.diskFilters ?? []) {
    try {
      top = await apply(top, { label, report: chain!.report });
    } catch (error) {
      await top[Symbol.asyncDispose]();
      throw withFilter(error, spec);
    }
  }
  return top;
}

/** The same for the disk of an image. It says of itself what it did, but knows nothing of places in the file. */
export async function filteredImage(
  image: FormatDevice,
  chain: FilterChain | undefined,
  label: string,
): Promise<FormatDevice> {
  if (chain === undefined || chain.diskFilters.length === 0) return image;
  return new FilteredImage(await filteredDevice(image, chain, label), image);
}

/** The file to be read instead of one, by the file filters of a chain. It takes the file over, as they do. */
export async function filteredFile(
  file: BlockDevice,
  chain: FilterChain | undefined,
  context: FileFilterContext,
): Promise<BlockDevice> {
  let inside = file;
  for (const { open, spec } of chain?.fileFilters ?? []) {
    try {
      inside = await open(inside, context);
    } catch (error) {
      throw withFilter(error, spec);
    }
  }
  return inside;
}

function withFilter(error: unknown, spec: string): unknown {
  if (!isVarveError(error)) return error;
  return new VarveError(error.code, `cannot use --filter ${spec}: ${error.message}`, { cause: error });
}

import type { FileHandle } from 'node:fs/promises';
import { systemError } from '../base/varve-error.ts';
import { alignDown, alignUp } from '../bytes/align.ts';
import { blockDeviceSectorSize, blockDeviceSize, discardBlocks, zeroBlocks } from '../linux/block-ioctl.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from './block-device.ts';
import { inSlices } from './in-slices.ts';
import { readFully, writeFully, writeZerosFully } from './positional-io.ts';

/** How much the kernel is asked to clear at once, in bytes: a slow disk writes that in about a second. */
const clearingSliceLength = 2 ** 27;
/** The page cache's granularity: whole pages are written without being read first. */
const pageSize = 4096;

/** A block device of this machine that is open already. */
export interface OpenHostDevice {
  /** The device closes it when it is disposed of. */
  readonly handle: FileHandle;
  readonly readOnly: boolean;
  /** What errors call it. */
  readonly label: string;
}

/**
 * A device over an open block device of this machine, `/dev/sdb`. All of it counts as data; `trim` discards, `zero`
 * asks the kernel, which asks the disk or writes zeros itself.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function hostDevice(open: OpenHostDevice): BlockDevice {
  return new HostDevice(open);
}

class HostDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #handle: FileHandle;
  readonly #label: string;
  /** The alignment, in bytes, of what the kernel discards and clears. */
  readonly #sectorSize: number;

  constructor({ handle, readOnly, label }: OpenHostDevice) {
    this.size = blockDeviceSize(handle.fd, label);
    this.#sectorSize = blockDeviceSectorSize(handle.fd, label);
    this.blockSize = Math.max(this.#sectorSize, pageSize);
    this.supports = { write: !readOnly, trim: !readOnly, zero: !readOnly, extents: false };
    this.#handle = handle;
    this.#label = label;
  }

  read(target: Uint8Array, offset: number): void {
    readFully(this.#handle.fd, target, offset, this.#label);
  }

  write(source: Uint8Array, offset: number): void {
    writeFully(this.#handle.fd, source, offset, this.#label);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    const start = alignUp(offset, this.#sectorSize);
    const end = alignDown(offset + length, this.#sectorSize);
    if (start >= end) return this.#writeZeros(offset, length);
    this.#writeZeros(offset, start - offset);
    this.#writeZeros(end, offset + length - end);
    return inSlices(start, end - start, clearingSliceLength, (from, part) => this.#clear(from, part));
  }

  trim(offset: number, length: number): MaybePromise<void> {
    const start = alignUp(offset, this.#sectorSize);
    const end = alignDown(offset + length, this.#sectorSize);
    if (start >= end) return;
    const discard = (from: number, part: number) => void discardBlocks(this.#handle.fd, from, part, this.#label);
    return inSlices(start, end - start, clearingSliceLength, discard);
  }

  async flush(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw systemError(`flush ${this.#label}`, error);
    }
  }

  extents(offset: number, length: number): Iterable<Extent> {
    return [{ offset, length, kind: 'data' }];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #clear(offset: number, length: number): void {
    if (!zeroBlocks(this.#handle.fd, offset, length, this.#label)) this.#writeZeros(offset, length);
  }

  #writeZeros(offset: number, length: number): void {
    writeZerosFully(this.#handle.fd, offset, length, this.#label);
  }
}

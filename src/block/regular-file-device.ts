import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { systemError } from '../base/varve-error.ts';
import { punchHole, zeroRange } from '../linux/fallocate.ts';
import { isLinux } from '../linux/libc.ts';
import { seekData, seekHole } from '../linux/seek-data.ts';
import type { DeviceSupport, Extent, FileRange, MaybePromise, ResizableDevice } from './block-device.ts';
import { inSlices } from './in-slices.ts';
import { endedError, readFully, writeFully, writeZerosFully } from './positional-io.ts';

/** How much is zeroed, in bytes, before the event loop gets a turn: some 10 ms of work. */
const writingSliceLength = 2 ** 25;
const punchingSliceLength = 2 ** 30;

/** A regular file that is open already, and what `fstat` said of it. */
export interface RegularFile {
  /** The device closes it when it is disposed of. */
  readonly handle: FileHandle;
  /** In bytes, any number of them. */
  readonly size: number;
  readonly blockSize: number;
  readonly readOnly: boolean;
  /** What errors call it. */
  readonly label: string;
}

/**
 * A device over an open file. On Linux its holes are `extents`, and `trim` and `zero` punch holes; where the file
 * system has none, and on other systems, all of it is data and zeros are written.
 */
export function regularFileDevice(file: RegularFile): ResizableDevice {
  return new RegularFileDevice(file);
}

class RegularFileDevice implements ResizableDevice {
  size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #handle: FileHandle;
  readonly #label: string;
  /** The quickest way to zeros that the file system has not refused yet. */
  #zeroing: 'punch' | 'zero range' | 'write' = isLinux ? 'punch' : 'write';

  constructor({ handle, size, blockSize, readOnly, label }: RegularFile) {
    this.size = size;
    this.blockSize = blockSize;
    this.supports = { write: !readOnly, trim: isLinux && !readOnly, zero: isLinux && !readOnly, extents: isLinux };
    this.#handle = handle;
    this.#label = label;
  }

  read(target: Uint8Array, offset: number): void {
    readFully(this.#handle.fd, target, offset, this.#label);
  }

  write(source: Uint8Array, offset: number): void {
    writeFully(this.#handle.fd, source, offset, this.#label);
    if (offset + source.length > this.size) this.size = offset + source.length;
  }

  zero(offset: number, length: number): MaybePromise<void> {
    // The first slice shows what the file system can.
    const first = Math.min(length, writingSliceLength);
    this.#zeroSlice(offset, first);
    if (length === first) return;
    const sliceLength = this.#zeroing === 'punch' ? punchingSliceLength : writingSliceLength;
    return inSlices(offset + first, length - first, sliceLength, (start, part) => this.#zeroSlice(start, part));
  }

  trim(offset: number, length: number): MaybePromise<void> {
    if (this.#zeroing !== 'punch') return;
    return inSlices(offset, length, punchingSliceLength, (start, part) => void this.#punch(start, part));
  }

  async flush(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw systemError(`flush ${this.#label}`, error);
    }
  }

  async resize(size: number): Promise<void> {
    try {
      await this.#handle.truncate(size);
      this.size = size;
    } catch (error) {
      throw systemError(`resize ${this.#label}`, error);
    }
  }

  refreshSize(): void {
    try {
      this.size = fs.fstatSync(this.#handle.fd).size;
    } catch (error) {
      throw systemError(`read ${this.#label}`, error);
    }
  }

  *extents(offset: number, length: number): Generator<Extent, undefined> {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      const dataStart = isLinux ? this.#nextData(position, end) : position;
      if (dataStart > position) yield { offset: position, length: dataStart - position, kind: 'hole' };
      if (dataStart >= end) return;
      const dataEnd = isLinux ? this.#nextHole(dataStart, end) : end;
      yield { offset: dataStart, length: dataEnd - dataStart, kind: 'data' };
      position = dataEnd;
    }
  }

  fileRange(offset: number): FileRange {
    return { fd: this.#handle.fd, offset };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #zeroSlice(offset: number, length: number): void {
    if (this.#zeroing === 'punch' && this.#punch(offset, length)) return;
    if (this.#zeroing === 'zero range') {
      if (zeroRange(this.#handle.fd, offset, length, this.#label)) return;
      this.#zeroing = 'write';
    }
    writeZerosFully(this.#handle.fd, offset, length, this.#label);
  }

  #punch(offset: number, length: number): boolean {
    if (punchHole(this.#handle.fd, offset, length, this.#label)) return true;
    this.#zeroing = 'zero range';
    return false;
  }

  #nextData(position: number, end: number): number {
    const found = seekData(this.#handle.fd, position, this.#label);
    if (found !== undefined) return Math.min(found, end);
    // "No more data" is said of a file that was cut short, too, and that is no hole.
    const { size } = fs.fstatSync(this.#handle.fd);
    if (size >= end) return end;
    throw endedError('read', this.#label, size);
  }

  /** Past `position` even if the data has gone meanwhile, so that the loop ends. */
  #nextHole(position: number, end: number): number {
    const found = seekHole(this.#handle.fd, position, this.#label) ?? end;
    return Math.min(Math.max(found, position + 1), end);
  }
}

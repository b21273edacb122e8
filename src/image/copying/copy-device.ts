import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { zeroRuns } from '../../format/zero-runs.ts';
import { type CopyPiece, copyPieces } from './copy-pieces.ts';
import { type EachPieceOptions, eachPiece } from './each-piece.ts';

/** How the content of a device is copied. */
export interface CopyDeviceOptions {
  /** Requests that are under way at a time; 64 where nothing is given. */
  readonly requests?: number | undefined;
  /** Length of a request, in bytes; 256 KiB where nothing is given. */
  readonly requestSize?: number | undefined;
  /** Blocks of so many bytes that are all zeros are not written as data; 4096 where nothing is given, 0 for never. */
  readonly sparse?: number | undefined;
  /** Whether the source is asked which of it is zeros, so that that is not read; true where nothing is given. */
  readonly extents?: boolean | undefined;
  /** Whether the target holds zeros only, so that zeros need not be written. */
  readonly destinationIsZero?: boolean | undefined;
  /** Writes zeros as data, so that the target has room for all of it. */
  readonly allocated?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when a request has failed and others may still be under way, which nobody needs any more. */
  readonly onFailure?: (() => void) | undefined;
  /** Told how many bytes more were dealt with. */
  readonly onProgress?: ((count: number) => void) | undefined;
}

/** What was copied, in bytes. */
export interface CopyStatistics {
  /** Written as data; the rest is zeros. */
  readonly dataLength: number;
}

/** Zeros that a target makes quickly go in pieces of this length, in bytes. */
const quickZeroLength = 2 ** 27;
const defaultRequestSize = 2 ** 18;

/** How `copyDevice` and `verifyCopy` cut a source into pieces. */
export function piecesOf(
  source: BlockDevice,
  { extents = true, requestSize = defaultRequestSize }: CopyDeviceOptions,
  hasQuickZeros: boolean,
): AsyncGenerator<CopyPiece, undefined> {
  const zeroLength = hasQuickZeros ? Math.max(quickZeroLength, requestSize) : requestSize;
  return copyPieces(source, { dataLength: requestSize, zeroLength, useExtents: extents });
}

/** How many requests are under way at a time, and who may stop them. */
export function workOf({ onFailure, requests = 64, signal }: CopyDeviceOptions): EachPieceOptions {
  return { count: requests, onFailure, signal };
}

/**
 * Writes all that `source` holds over the beginning of `target`, which is at least as large. Requests have no order, and
 * nothing is flushed.
 *
 * @throws VarveError `ABORTED` by the signal, and what the devices throw
 */
export async function copyDevice(
  source: BlockDevice,
  target: BlockDevice,
  options: CopyDeviceOptions = {},
): Promise<CopyStatistics> {
  const copy = new DeviceCopy(source, target, options);
  const pieces = piecesOf(source, options, target.supports.zero && !options.allocated);
  await eachPiece(pieces, workOf(options), (piece) => copy.piece(piece));
  return { dataLength: copy.dataLength };
}

class DeviceCopy {
  /** Bytes that were written as data. */
  dataLength = 0;
  readonly #source: BlockDevice;
  readonly #target: BlockDevice;
  readonly #options: CopyDeviceOptions;
  /** Buffers that nobody uses now; the one used last comes first, as it is in the processor's caches. */
  readonly #spare: Uint8Array[] = [];

  constructor(source: BlockDevice, target: BlockDevice, options: CopyDeviceOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async piece({ isZero: isHole, length, offset }: CopyPiece): Promise<void> {
    if (isHole) await this.#zero(offset, length);
    else await this.#copy(offset, length);
    this.#options.onProgress?.(length);
  }

  async #copy(offset: number, length: number): Promise<void> {
    const { requestSize = defaultRequestSize, sparse = 4096 } = this.#options;
    const buffer = this.#spare.pop() ?? new Uint8Array(requestSize);
    const bytes = buffer.subarray(0, length);
    const reading = this.#source.read(bytes, offset);
    if (reading !== undefined) await reading;
    const writing = sparse === 0 ? this.#write(bytes, offset) : this.#writeSparsely(bytes, offset, sparse);
    if (writing !== undefined) await writing;
    this.#spare.push(buffer);
  }

  #writeSparsely(bytes: Uint8Array, offset: number, blockSize: number): MaybePromise<void> {
    if (isZero(bytes)) return this.#zero(offset, bytes.length);
    const writing: Promise<void>[] = [];
    for (const run of zeroRuns(bytes, blockSize)) {
      const start = offset + run.start;
      const done = run.isZero
        ? this.#zero(start, run.end - run.start)
        : this.#write(bytes.subarray(run.start, run.end), start);
      if (done !== undefined) writing.push(done);
    }
    if (writing.length > 0) return allDone(writing);
  }

  #write(bytes: Uint8Array, offset: number): MaybePromise<void> {
    this.dataLength += bytes.length;
    return this.#target.write(bytes, offset);
  }

  #zero(offset: number, length: number): MaybePromise<void> {
    const { allocated = false, destinationIsZero = false } = this.#options;
    if (allocated) return this.#target.write(new Uint8Array(length), offset);
    if (!destinationIsZero) return this.#target.zero(offset, length);
  }
}

/** Waits for all, also where one fails: their buffer is used until then. */
async function allDone(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}

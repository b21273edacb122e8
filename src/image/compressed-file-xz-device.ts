import { Mutex } from '../base/mutex.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { openTemporaryDevice } from '../block/nameless-file.ts';
import { throwIfAborted } from '../format/disk-pieces.ts';
import { zeroRuns } from '../format/zero-runs.ts';
import { CompressedFileError } from './compressed-file-error.ts';
import { unxz } from './compressed-file-xz.ts';
import { readXzBlocks, type XzBlock, xzStreamAround } from './compressed-file-xz-index.ts';

/** How the blocks of a file are unpacked. */
export interface XzDeviceOptions {
  /** Where what is unpacked is kept. */
  readonly directory: string;
  /** What becomes of an error of unpacking. */
  readonly explain: (error: unknown) => unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Checks that the library knows: none, CRC-32, CRC-64. */
const knownChecks = new Set([0, 1, 4]);
const inputLength = 65_536;
const zeroBlockSize = 4096;

/**
 * What an xz file of several blocks holds. A block is unpacked when something of it is read, once, into a file without a
 * name. The compressed file belongs to the device. Undefined for a file that has to be unpacked from its start.
 *
 * @throws VarveError by errno
 */
export async function openXzDevice(file: BlockDevice, options: XzDeviceOptions): Promise<BlockDevice | undefined> {
  const blocks = await readXzBlocks(file);
  const [first, second] = blocks ?? [];
  if (blocks === undefined || first === undefined || second === undefined) return undefined;
  if (!blocks.every(({ flags }) => flags[0] === 0 && knownChecks.has(flags[1]!))) return undefined;
  const last = blocks.at(-1)!;
  const spool = await openTemporaryDevice(last.offset + last.length, options.directory);
  return new XzDevice(file, blocks, spool, options);
}

class XzDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: true };
  readonly #file: BlockDevice;
  readonly #blocks: readonly XzBlock[];
  readonly #spool: BlockDevice;
  readonly #options: XzDeviceOptions;
  readonly #isUnpacked: boolean[];
  /** One block at a time: each takes memory for its dictionary. */
  readonly #unpacking = new Mutex();

  constructor(file: BlockDevice, blocks: readonly XzBlock[], spool: BlockDevice, options: XzDeviceOptions) {
    this.size = spool.size;
    this.blockSize = spool.blockSize;
    this.#file = file;
    this.#blocks = blocks;
    this.#spool = spool;
    this.#options = options;
    this.#isUnpacked = blocks.map(() => false);
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const end = offset + target.length;
    for (let index = this.#blockAt(offset); (this.#blocks[index]?.offset ?? end) < end; index += 1) {
      if (!this.#isUnpacked[index]) return this.#readLater(target, offset, index);
    }
    return this.#spool.read(target, offset);
  }

  write(): never {
    throw new TypeError('what is compressed is only read');
  }

  zero(): never {
    throw new TypeError('what is compressed is only read');
  }

  trim(): never {
    throw new TypeError('what is compressed is only read');
  }

  flush(): void {}

  /** What is data shows when it is unpacked. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const end = offset + length;
    for (let index = this.#blockAt(offset); (this.#blocks[index]?.offset ?? end) < end; index += 1) {
      await this.#unpack(index);
      const block = this.#blocks[index]!;
      const [start, stop] = [Math.max(block.offset, offset), Math.min(block.offset + block.length, end)];
      yield* this.#spool.extents(start, stop - start);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#file);
    stack.use(this.#spool);
    using _ = await this.#unpacking.lock();
  }

  async #readLater(target: Uint8Array, offset: number, first: number): Promise<void> {
    const end = offset + target.length;
    for (let index = first; (this.#blocks[index]?.offset ?? end) < end; index += 1) await this.#unpack(index);
    await this.#spool.read(target, offset);
  }

  async #unpack(index: number): Promise<void> {
    if (this.#isUnpacked[index]) return;
    using _ = await this.#unpacking.lock();
    if (this.#isUnpacked[index]) return;
    try {
      await this.#unpackBlock(this.#blocks[index]!);
    } catch (error) {
      throw this.#options.explain(error);
    }
    this.#isUnpacked[index] = true;
  }

  async #unpackBlock(block: XzBlock): Promise<void> {
    let position = block.offset;
    const end = block.offset + block.length;
    const input = pieces(this.#file, block);
    for await (const piece of unxz({ next: async () => (await input.next()).value })) {
      throwIfAborted(this.#options.signal);
      if (position + piece.length > end)
        throw new CompressedFileError('damaged', 'a block is longer than its index says');
      for (const run of zeroRuns(piece, zeroBlockSize)) {
        if (!run.isZero) await this.#spool.write(piece.subarray(run.start, run.end), position + run.start);
      }
      position += piece.length;
    }
    if (position !== end) throw new CompressedFileError('damaged', 'a block is shorter than its index says');
  }

  /** The index of the block with a byte, by halving. */
  #blockAt(offset: number): number {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#blocks[middle]!.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** A file that has only this block, in pieces. */
async function* pieces(file: BlockDevice, block: XzBlock): AsyncGenerator<Uint8Array, undefined> {
  const { head, tail } = xzStreamAround(block);
  yield head;
  for (let done = 0; done < block.fileLength; done += inputLength) {
    const piece = new Uint8Array(Math.min(inputLength, block.fileLength - done));
    await file.read(piece, block.fileOffset + done);
    yield piece;
  }
  yield tail;
}

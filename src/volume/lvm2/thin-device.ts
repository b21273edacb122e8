import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../../block/block-device.ts';
import { ReadOnlyDevice } from '../../block/read-only-device.ts';
import { runSteps, type Steps } from '../../block/run-steps.ts';
import type { ThinTables } from './thin-tables.ts';

/** A thin volume's place in its pool. */
export interface ThinVolume {
  /** What holds the pool's blocks of data. */
  readonly data: BlockDevice;
  /** Of such a block, in bytes. */
  readonly blockLength: number;
  readonly tables: ThinTables;
  /** The root of the volume's own tree; undefined where the pool knows of none, and all of it is zeros. */
  readonly mappings: number | undefined;
  /** The pool's, for messages. */
  readonly name: string;
}

/** The bytes behind a value of the tree: the rest says when the block was given out. */
const timeRange = 2n ** 24n;

/** A run of a thin volume: where its bytes are, or that they are zeros; in bytes. */
interface ThinRun {
  readonly length: number;
  readonly place: number | undefined;
}

/** A thin volume, to be read only. Where its blocks are is looked up when they are read. */
export class ThinDevice extends ReadOnlyDevice {
  readonly #volume: ThinVolume;

  constructor(volume: ThinVolume, size: number) {
    super(size, [volume.data, volume.tables.device], { extents: true });
    this.#volume = volume;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    return runSteps(this.#reads(target, offset));
  }

  *#reads(target: Uint8Array, offset: number): Steps {
    for (let done = 0; done < target.length; ) {
      const { length, place } = yield* this.#runAt(offset + done, target.length - done);
      const part = target.subarray(done, done + length);
      if (place === undefined) part.fill(0);
      else yield this.#volume.data.read(part, place);
      done += length;
    }
  }

  override async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    for (let start = offset; start < offset + length; ) {
      const run = await runSteps(this.#runAt(start, offset + length - start));
      yield { offset: start, length: run.length, kind: run.place === undefined ? 'zero' : 'data' };
      start += run.length;
    }
  }

  /** What is at `offset`, `length` bytes of it at most: up to the end of a block, or the next block there is. */
  *#runAt(offset: number, length: number): Steps<ThinRun> {
    const { blockLength, data, mappings, name, tables } = this.#volume;
    if (mappings === undefined) return { length, place: undefined };
    const block = Math.floor(offset / blockLength);
    const found = yield* tables.find(mappings, block);
    if (found === undefined) return { length, place: undefined };
    if (found.key > block) return { length: Math.min(length, found.key * blockLength - offset), place: undefined };
    const within = offset - block * blockLength;
    const place = Number(found.value / timeRange) * blockLength + within;
    const run = { length: Math.min(length, blockLength - within), place };
    if (place + run.length <= data.size) return run;
    const what = `block ${block} of a volume would be at byte ${place} of ${data.size}`;
    throw new VarveError('CORRUPT', `cannot read the thin pool ${name}: ${what}`);
  }
}

import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { type DataRun, dataRunsOf } from '../data-runs.ts';
import type { GuestFile } from '../guest-tree.ts';
import { type DataOutput, dataBlockLength, type StoredBlock } from './data-output.ts';
import type { FileContent } from './encode-inode.ts';
import type { Fragments } from './fragments.ts';

/** Blocks of one file; more were made to be. At 128 KiB these are 2 TiB. */
const mostBlocks = 2 ** 24;

/** Writes the contents of files. */
export class FileContents {
  readonly #output: DataOutput;
  readonly #fragments: Fragments;
  readonly #onProblem: (error: VarveError) => void;

  constructor(output: DataOutput, fragments: Fragments, onProblem: (error: VarveError) => void) {
    this.#output = output;
    this.#fragments = fragments;
    this.#onProblem = onProblem;
  }

  /**
   * Writes what a file holds. Zeros stand for what cannot be read of it.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a file in too many pieces, or that is too large
   */
  async write(file: GuestFile): Promise<FileContent> {
    const { size } = file.stat;
    if (size === 0) return { start: 0, words: [], sparse: 0, fragment: undefined };
    if (size < dataBlockLength) {
      const { place, room } = await this.#fragments.take(size);
      await this.#read(file, room, 0);
      return { start: 0, words: [], sparse: 0, fragment: place };
    }
    if (Math.ceil(size / dataBlockLength) > mostBlocks) {
      throw new VarveError('UNSUPPORTED', `squashfs cannot hold ${file.path}: it has ${size} bytes`);
    }
    return await this.#writeBlocks(file, (await dataRunsOf(file)).runs);
  }

  async #writeBlocks(file: GuestFile, runs: readonly DataRun[]): Promise<FileContent> {
    const { size } = file.stat;
    const pending: ((() => Promise<StoredBlock>) | undefined)[] = [];
    let [sparse, run] = [0, 0];
    for (let offset = 0; offset < size; offset += dataBlockLength) {
      const length = Math.min(dataBlockLength, size - offset);
      while (run < runs.length && runs[run]!.offset + runs[run]!.length <= offset) run += 1;
      const block = run < runs.length && runs[run]!.offset < offset + length ? new Uint8Array(length) : undefined;
      if (block !== undefined) await this.#read(file, block, offset);
      const isHole = block === undefined || isZero(block);
      if (isHole) sparse += length;
      pending.push(isHole ? undefined : await this.#output.add(block));
    }
    const stored = await Promise.all(pending.map((each) => each?.()));
    const start = stored.find((each) => each !== undefined)?.place ?? 0;
    return { start, words: stored.map((each) => each?.word ?? 0), sparse, fragment: undefined };
  }

  /** Fills `target`, which is full of zeros. */
  async #read({ fileSystem, node, path }: GuestFile, target: Uint8Array, offset: number): Promise<void> {
    try {
      for (let done = 0; done < target.length; ) {
        const got = await fileSystem.read(node, target.subarray(done), offset + done);
        if (got === 0) throw new VarveError('CORRUPT', `cannot read ${path}: it ends at byte ${offset + done}`);
        done += got;
      }
    } catch (error) {
      if (!isVarveError(error)) throw error;
      this.#onProblem(new VarveError(error.code, `${error.message}; zeros stand for that in ${path}`));
    }
  }
}

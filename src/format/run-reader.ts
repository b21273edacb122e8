import type { BlockDevice, MaybePromise } from '../block/block-device.ts';

/** How a disk is read that is made of runs. */
export interface RunSource<Run> {
  /** The run that starts at byte `offset`, at most `length` bytes long. */
  lookup(offset: number, length: number): MaybePromise<Run>;
  /** Fills `part`, which is as long as its run, from byte `offset` of the disk. */
  fill(part: Uint8Array, offset: number, run: Run): MaybePromise<void>;
}

/** Reads a disk run by run. Reads are synchronous as far as those of its source are. */
export class RunReader<Run extends { readonly length: number }> {
  readonly #source: RunSource<Run>;

  constructor(source: RunSource<Run>) {
    this.#source = source;
  }

  /** Hot: goes on without a promise as long as it can (`bench/formats.ts`). */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    for (let done = 0; done < target.length; ) {
      const step = this.#readRun(done === 0 ? target : target.subarray(done), offset + done);
      if (typeof step !== 'number') return this.#readRest(target, offset, done, step);
      done += step;
    }
    return undefined;
  }

  async #readRest(target: Uint8Array, offset: number, start: number, first: Promise<number>): Promise<void> {
    let done = start + (await first);
    while (done < target.length) {
      const step = this.#readRun(target.subarray(done), offset + done);
      done += typeof step === 'number' ? step : await step;
    }
  }

  /** Reads the run that starts at `offset`, as far as `target` goes, and gives its length. */
  #readRun(target: Uint8Array, offset: number): MaybePromise<number> {
    const run = this.#source.lookup(offset, target.length);
    return run instanceof Promise
      ? run.then((found) => this.#readFound(target, offset, found))
      : this.#readFound(target, offset, run);
  }

  #readFound(target: Uint8Array, offset: number, run: Run): MaybePromise<number> {
    const part = run.length === target.length ? target : target.subarray(0, run.length);
    const pending = this.#source.fill(part, offset, run);
    return pending === undefined ? run.length : pending.then(() => run.length);
  }
}

/** Fills `part` from byte `offset` of what lies beneath a disk, as far as that goes, and with zeros; undefined is nothing. */
export function readBeneath(beneath: BlockDevice | undefined, part: Uint8Array, offset: number): MaybePromise<void> {
  const available = Math.min(part.length, (beneath?.size ?? 0) - offset);
  if (beneath === undefined || available <= 0) {
    part.fill(0);
    return undefined;
  }
  part.fill(0, available);
  return beneath.read(available === part.length ? part : part.subarray(0, available), offset);
}

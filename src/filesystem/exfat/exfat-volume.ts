import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { readInside } from '../read-inside.ts';
import { AllocationTable } from './allocation-table.ts';
import type { ExfatLayout } from './boot-region.ts';
import { type Allocation, ClusterChain } from './cluster-chain.ts';

/** The clusters of an exFAT file system, below its files. */
export class ExfatVolume {
  readonly device: BlockDevice;
  readonly layout: ExfatLayout;
  readonly #name: string;
  readonly #table: AllocationTable;

  /** `name` is the disk's, for errors. */
  constructor(device: BlockDevice, layout: ExfatLayout, name: string) {
    this.device = device;
    this.layout = layout;
    this.#name = name;
    this.#table = new AllocationTable(device, layout, name);
  }

  /** `what` names it in errors: `the file at byte 4096`. @throws VarveError `CORRUPT` */
  chain(allocation: Allocation, what: string): ClusterChain {
    return new ClusterChain({ table: this.#table, layout: this.layout, what: `${this.#name}: ${what}` }, allocation);
  }

  /** Fills `target` from `offset` of a chain. @throws VarveError `CORRUPT` where the chain ends before */
  async read(chain: ClusterChain, target: Uint8Array, offset: number, what: string): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const run = await chain.run(offset + done, target.length - done);
      if (run === undefined) throw this.corrupt(`the clusters of ${what} end before it does`);
      await readInside(this.device, target.subarray(done, done + run.length), run.offset, `${this.#name}: ${what}`);
      done += run.length;
    }
  }

  corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#name}: ${why}`);
  }

  /** For what a caller asked of the wrong file. */
  invalid(why: string): VarveError {
    return new VarveError('INVALID', `${this.#name}: ${why}`);
  }
}

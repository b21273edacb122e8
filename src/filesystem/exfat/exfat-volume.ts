import type { BlockDevice } from '../../block/block-device.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { AllocationTable } from './allocation-table.ts';
import type { ExfatLayout } from './boot-region.ts';
import { type Allocation, ClusterChain } from './cluster-chain.ts';

/** The clusters of an exFAT file system, below its files. */
export class ExfatVolume extends FileSystemVolume {
  readonly layout: ExfatLayout;
  readonly #table: AllocationTable;

  /** `name` is the disk's, for errors. */
  constructor(device: BlockDevice, layout: ExfatLayout, name: string) {
    super(device, name);
    this.layout = layout;
    this.#table = new AllocationTable(device, layout, name);
  }

  /** `what` names it in errors: `the file at byte 4096`. @throws VarveError `CORRUPT` */
  chain(allocation: Allocation, what: string): ClusterChain {
    return new ClusterChain({ table: this.#table, layout: this.layout, what: this.named(what) }, allocation);
  }

  /** Fills `target` from `offset` of a chain. @throws VarveError `CORRUPT` where the chain ends before */
  async readChain(chain: ClusterChain, target: Uint8Array, offset: number, what: string): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const run = await chain.run(offset + done, target.length - done);
      if (run === undefined) throw this.corrupt(`the clusters of ${what} end before it does`);
      await this.read(target.subarray(done, done + run.length), run.offset, what);
      done += run.length;
    }
  }
}

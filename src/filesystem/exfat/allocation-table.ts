/*
 * The file allocation table: 32 bits for each cluster, from cluster 2 on, which name the one that follows it in its file;
 * ffffffff is the end, fffffff7 a bad cluster. Files that are in one piece may do without: what is said of their clusters
 * here means nothing then. Which clusters are free the allocation bitmap says, not this table.
 *
 * Source: Microsoft, exFAT file system specification, section 4.1.
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import type { ExfatLayout } from './boot-region.ts';

const pageLength = 16_384;
const entriesPerPage = pageLength / 4;
const cachedPages = 64;

/** What an entry holds after which no cluster follows. */
export const chainEnds = 0xffff_ffff;

/** The table that says which cluster follows which; pages of it are kept. */
export class AllocationTable {
  readonly #layout: ExfatLayout;
  readonly #pages: DevicePages;

  constructor(device: BlockDevice, layout: ExfatLayout, name: string) {
    this.#layout = layout;
    this.#pages = new DevicePages({ device, name, capacity: cachedPages });
  }

  /** The entry of `cluster`: the next one, `chainEnds`, or a number that no cluster has. */
  async next(cluster: number): Promise<number> {
    const { tableOffset, tableLength } = this.#layout;
    const start = Math.floor(cluster / entriesPerPage) * pageLength;
    const length = Math.min(pageLength, tableLength - start);
    const page = await this.#pages.get(tableOffset + start, length, 'file allocation table');
    return page.getUint32(cluster * 4 - start, true);
  }
}

/*
 * The file allocation table: for each cluster, from cluster 2 on, the cluster that follows it in its file.
 *
 *   FAT12   12 bits each, two entries in three bytes     0 free, ff7 bad, ff8 and more the end
 *   FAT16   16 bits                                      0 free, fff7 bad, fff8 and more the end
 *   FAT32   the lower 28 of 32 bits                      0 free, ffffff7 bad, ffffff8 and more the end
 *
 * Entry 1 has two flags at its upper end (not in FAT12): the highest is clear where it was not unmounted, the next one
 * where there were errors of the disk.
 *
 * Source: Microsoft, FAT32 File System Specification 1.03, "FAT Data Structure".
 */
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import type { FatLayout } from './boot-sector.ts';

const pageLength = 12_288;
const cachedPages = 64;

/** What an entry of the table says of its cluster where it does not name the next one. */
const clusterIsFree = 0;
const clusterIsBad = -1;
export const chainEnds = -2;

/** The table that says which cluster follows which; pages of it are kept. */
export class AllocationTable {
  readonly #layout: FatLayout;
  readonly #pages: DevicePages;
  readonly #entriesPerPage: number;

  constructor(device: BlockDevice, layout: FatLayout, name: string) {
    this.#layout = layout;
    this.#pages = new DevicePages({ device, name, capacity: cachedPages });
    this.#entriesPerPage = (pageLength * 8) / layout.width;
  }

  /** The cluster that follows `cluster`, `chainEnds`, or a number that no cluster has. */
  async next(cluster: number): Promise<number> {
    const page = await this.#page(Math.floor(cluster / this.#entriesPerPage));
    return this.#meaningOf(this.#entryIn(page, cluster % this.#entriesPerPage));
  }

  /** Whether the flags in entry 1 say that it was unmounted, without errors. */
  async isClean(): Promise<boolean> {
    const { width } = this.#layout;
    if (width === 12) return true;
    const flags = width === 16 ? 0xc000 : 0x0c00_0000;
    return (this.#entryIn(await this.#page(0), 1) & flags) === flags;
  }

  /** The runs of free clusters, in order, as first cluster and count. */
  async *freeRuns(): AsyncGenerator<{ readonly cluster: number; readonly count: number }> {
    const end = this.#layout.clusterCount + 2;
    let first = -1;
    for (let start = 0; start < end; start += this.#entriesPerPage) {
      const page = await this.#page(start / this.#entriesPerPage);
      for (let cluster = Math.max(2, start); cluster < Math.min(end, start + this.#entriesPerPage); cluster++) {
        const isFree = this.#entryIn(page, cluster - start) === clusterIsFree;
        if (isFree && first < 0) first = cluster;
        if (isFree || first < 0) continue;
        yield { cluster: first, count: cluster - first };
        first = -1;
      }
    }
    if (first >= 0) yield { cluster: first, count: end - first };
  }

  #page(index: number): MaybePromise<DataView> {
    const { tableOffset, tableLength } = this.#layout;
    const start = index * pageLength;
    return this.#pages.get(tableOffset + start, Math.min(pageLength, tableLength - start), 'file allocation table');
  }

  /** Hot: called for every cluster of the disk to find the free ones. */
  #entryIn(page: DataView, index: number): number {
    const { width } = this.#layout;
    if (width === 32) return page.getUint32(index * 4, true) & 0x0fff_ffff;
    if (width === 16) return page.getUint16(index * 2, true);
    const pair = page.getUint16(index + (index >> 1), true);
    return (index & 1) === 0 ? pair & 0xfff : pair >> 4;
  }

  #meaningOf(entry: number): number {
    const { width } = this.#layout;
    const bad = width === 32 ? 0x0fff_fff7 : width === 16 ? 0xfff7 : 0xff7;
    if (entry > bad) return chainEnds;
    return entry === bad ? clusterIsBad : entry;
  }
}

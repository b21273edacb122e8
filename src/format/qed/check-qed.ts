import type { BlockDevice } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { CheckFindings } from '../check-findings.ts';
import { FileHoles } from '../file-holes.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { PlaceSet } from '../place-set.ts';
import { QedClusterMap } from './cluster-map.ts';
import { type QedHeader, readQedHeader } from './header.ts';

/**
 * Looks for tables and clusters of a QED image that are outside of the file or used twice, and for clusters that
 * nothing uses.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a header that cannot be read, and for a repair
 */
export async function checkQed(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('qed', options);
  const header = await readQedHeader(file, options.name);
  return await new QedCheck(file, header, findings, await FileHoles.of(file)).run();
}

/** A check under way. */
class QedCheck {
  readonly #header: QedHeader;
  readonly #findings: CheckFindings;
  readonly #map: QedClusterMap;
  readonly #used: PlaceSet;
  #allocated = 0;
  #fragmented = 0;

  constructor(file: BlockDevice, header: QedHeader, findings: CheckFindings, holes: FileHoles) {
    this.#header = header;
    this.#findings = findings;
    this.#map = new QedClusterMap(file, header, findings.name, holes);
    this.#used = new PlaceSet(Math.ceil(file.size / header.clusterSize), findings.name);
  }

  async run(): Promise<CheckReport> {
    const { clusterSize, headerSize, imageSize, l1TableOffset } = this.#header;
    this.#take(l1TableOffset, this.#clustersOfTable, 'the L1 table');
    await this.#checkL1Table();
    const leaks = this.#used.countFree(headerSize / clusterSize);
    if (leaks > 0) this.#findings.leak(leaks, `${leaks} clusters are taken, and nothing uses them`);
    const total = Math.ceil(imageSize / clusterSize);
    return this.#findings.report({ total, allocated: this.#allocated, compressed: 0, fragmented: this.#fragmented });
  }

  get #clustersOfTable(): number {
    return this.#header.tableLength / this.#header.clusterSize;
  }

  async #checkL1Table(): Promise<void> {
    const { entriesOfPage, entriesOfTable } = this.#map;
    const coverage = entriesOfTable * this.#header.clusterSize;
    for (const first of this.#pagesOf(this.#header.l1TableOffset)) {
      const page = await this.#map.l1Page(first);
      const end = isEmpty(page) ? first : first + entriesOfPage;
      for (let index = first; index < end; index += 1) {
        const tableOffset = this.#map.entryIn(page, index);
        if (tableOffset !== 0) await this.#checkL1Entry(tableOffset, index);
      }
      this.#findings.progress(Math.min(this.#header.imageSize, (first + entriesOfPage) * coverage));
    }
  }

  async #checkL1Entry(tableOffset: number, index: number): Promise<void> {
    if (!this.#map.isTableOffset(tableOffset)) {
      this.#findings.corruption(`L1 entry ${index} points to byte ${tableOffset}, where no table can be`);
      // Gone through once: another way to the same table leads to nothing new, only round and round.
    } else if (this.#take(tableOffset, this.#clustersOfTable, `L2 table ${index}`)) {
      await this.#checkL2Table(tableOffset, index);
    }
  }

  async #checkL2Table(tableOffset: number, l1Index: number): Promise<void> {
    const { entriesOfPage, entriesOfTable } = this.#map;
    let last = 0;
    for (const first of this.#pagesOf(tableOffset)) {
      const page = await this.#map.l2Page(tableOffset, first);
      const end = isEmpty(page) ? first : first + entriesOfPage;
      for (let index = first; index < end; index += 1) {
        const entry = this.#map.entryIn(page, index);
        if (entry <= 1) continue;
        this.#checkCluster(entry, last, l1Index * entriesOfTable + index);
        last = entry;
      }
      this.#findings.progress(Math.min(this.#header.imageSize, l1Index * entriesOfTable * this.#header.clusterSize));
    }
  }

  /** The first entry of each page of a table that is not in a hole of the file. */
  *#pagesOf(tableOffset: number): Generator<number, undefined> {
    const { entriesOfPage, entriesOfTable } = this.#map;
    for (let first = 0; first < entriesOfTable; ) {
      const emptyPages = Math.floor(this.#map.emptyEntries(tableOffset, first) / entriesOfPage);
      if (emptyPages === 0) yield first;
      first += Math.max(1, emptyPages) * entriesOfPage;
    }
  }

  /** A cluster at `offset` of the file, where the one before it on the disk is at `before`; 0 for none. */
  #checkCluster(offset: number, before: number, cluster: number): void {
    this.#allocated += 1;
    if (before !== 0 && before + this.#header.clusterSize !== offset) this.#fragmented += 1;
    if (this.#map.isClusterOffset(offset)) this.#take(offset, 1, `cluster ${cluster}`);
    else this.#findings.corruption(`cluster ${cluster} is at byte ${offset}, where no cluster can be`);
  }

  /** Takes clusters for one use; false where one of them is in use already. */
  #take(offset: number, count: number, what: string): boolean {
    const first = offset / this.#header.clusterSize;
    let isFree = true;
    for (let cluster = first; cluster < first + count; cluster += 1) isFree = this.#used.add(cluster) && isFree;
    if (!isFree) this.#findings.corruption(`${what} is at byte ${offset}, which is in use already`);
    return isFree;
  }
}

/** Most tables are mostly empty: this is quicker than to look at each entry. */
function isEmpty(page: DataView): boolean {
  return isZero(new Uint8Array(page.buffer, page.byteOffset, page.byteLength));
}

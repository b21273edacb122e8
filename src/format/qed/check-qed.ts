import type { BlockDevice } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { CheckFindings } from '../check-findings.ts';
import { FileHoles } from '../file-holes.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { PlaceSet } from '../place-set.ts';
import { QedClusterMap } from './cluster-map.ts';
import { clearNeedCheck, type QedHeader, readQedHeader } from './header.ts';

/**
 * Looks for tables and clusters of a QED image that are outside of the file or used twice, and for clusters that
 * nothing uses. A repair of `all` forgets what points to where nothing can be, which the backing file shows through then,
 * and says that the image is closed; nothing else is repaired, as in QEMU.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a header that cannot be read
 */
export async function checkQed(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const findings = new CheckFindings('qed', options, true);
  const header = await readQedHeader(file, options.name);
  return await new QedCheck(file, header, findings, await FileHoles.of(file)).run();
}

/** A check under way. */
class QedCheck {
  readonly #file: BlockDevice;
  readonly #header: QedHeader;
  readonly #findings: CheckFindings;
  readonly #map: QedClusterMap;
  readonly #used: PlaceSet;
  #allocated = 0;
  #fragmented = 0;

  constructor(file: BlockDevice, header: QedHeader, findings: CheckFindings, holes: FileHoles) {
    this.#file = file;
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
    if (this.#findings.repair === 'all' && this.#findings.corruptions === 0) await clearNeedCheck(this.#file);
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
      const forgets = await this.#forget(this.#header.l1TableOffset + index * 8);
      this.#findings.corruption(`L1 entry ${index} points to byte ${tableOffset}, where no table can be`, forgets);
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
        const cluster = l1Index * entriesOfTable + index;
        if (this.#map.isClusterOffset(entry)) this.#take(entry, 1, `cluster ${cluster}`);
        else {
          const forgets = await this.#forget(tableOffset + index * 8);
          this.#findings.corruption(`cluster ${cluster} is at byte ${entry}, where no cluster can be`, forgets);
          if (forgets) continue;
        }
        this.#allocated += 1;
        if (last !== 0 && last + this.#header.clusterSize !== entry) this.#fragmented += 1;
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

  /** Empties an entry of a table, where that is asked for; whether it is. */
  async #forget(entryOffset: number): Promise<boolean> {
    if (this.#findings.repair !== 'all') return false;
    await this.#file.write(new Uint8Array(8), entryOffset);
    return true;
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

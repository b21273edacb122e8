import { throwIfAborted } from '../../disk-pieces.ts';
import { FileHoles } from '../../file-holes.ts';
import { hasFeature } from '../check-header.ts';
import { compressedLength, compressedOffset, hostOffsetOf } from '../cluster-entry.ts';
import { copiedBit } from '../layout.ts';
import { type CheckContext, checkCopied, dataCluster } from './check-context.ts';
import type { TableUsage, TableUse } from './count-tables.ts';
import { readPadded } from './read-padded.ts';

/** What is known of the clusters of the disk, after a check. */
export interface ClusterStatistics {
  allocated: number;
  compressed: number;
  fragmented: number;
}

const maximumBrokenCount = 100_000;
const compressedBit = 0x4000_0000;

/** Counts what all L2 tables point to, each table once however often it is used. */
export class ClusterCounter {
  readonly statistics: ClusterStatistics = { allocated: 0, compressed: 0, fragmented: 0 };
  /** Where in the file entries are that `repairEntry` sets right, in bytes. */
  readonly brokenEntries: number[] = [];
  readonly #context: CheckContext;
  readonly #clusterSize: number;
  readonly #isExtended: boolean;
  readonly #isExternal: boolean;
  /** Of the table at hand. */
  #use: TableUse = { offset: 0, active: 0, snapshots: 0 };
  #times = 0;
  /** Where the next data cluster of the table is if the file has them in one piece. */
  #expected = 0;

  constructor(context: CheckContext) {
    this.#context = context;
    this.#clusterSize = 2 ** context.header.clusterBits;
    this.#isExtended = hasFeature(context.header, 'extendedL2');
    this.#isExternal = hasFeature(context.header, 'externalDataFile');
  }

  /** `onTable` is called after each table of the active disk. */
  async countAll(usage: TableUsage, onTable: () => void): Promise<void> {
    const { counter, file, signal } = this.#context;
    const holes = await FileHoles.of(file);
    for (const use of usage.tables(counter.clusterCount + 1)) {
      throwIfAborted(signal);
      if (!holes.has(use.offset, this.#clusterSize)) {
        this.#countTable(await readPadded(file, use.offset, this.#clusterSize), use);
      }
      if (use.active > 0) onTable();
    }
  }

  #countTable(table: DataView, use: TableUse): void {
    this.#use = use;
    this.#times = use.active + use.snapshots;
    this.#expected = 0;
    const step = this.#isExtended ? 16 : 8;
    for (let position = 0; position < table.byteLength; position += step) {
      const [high, low] = [table.getUint32(position), table.getUint32(position + 4)];
      const zeros = this.#isExtended ? table.getUint32(position + 8) : 0;
      const allocated = this.#isExtended ? table.getUint32(position + 12) : 0;
      if (high !== 0 || low !== 0 || allocated !== 0) this.#countEntry(position, high, low, zeros, allocated);
    }
  }

  #countEntry(position: number, high: number, low: number, zeros: number, allocated: number): void {
    if ((high & compressedBit) !== 0) {
      this.#countCompressed(position, high, low, zeros !== 0 || allocated !== 0);
      return;
    }
    if ((high & 0x3f00_0000) !== 0 || (low & 0x1fe) !== 0) this.#corrupt(position, 'has reserved bits set');
    const offset = hostOffsetOf(high, low);
    if (offset !== 0 || (this.#isExternal && high >= copiedBit))
      this.#countStandard(position, high, low, offset, zeros, allocated);
    else if (allocated !== 0)
      this.#corrupt(position, 'says that parts of a cluster are allocated, and not where it is');
  }

  #corrupt(position: number, why: string): void {
    this.#context.findings.corrupt(() => `the L2 entry at byte ${this.#use.offset + position} ${why}`, this.#times);
  }

  #countCompressed(position: number, high: number, low: number, hasSubclusters: boolean): void {
    const { counter, header } = this.#context;
    if (high >= copiedBit) this.#broken(position, 'is of a compressed cluster, whose refcount it cannot call one');
    if (this.#isExternal) {
      this.#corrupt(position, 'is of a compressed cluster, which an external data file cannot hold');
      return;
    }
    if (hasSubclusters) {
      this.#corrupt(position, 'is of a compressed cluster, which has no subclusters');
      return;
    }
    const offset = compressedOffset(high, low, header.clusterBits);
    counter.add('a compressed cluster', offset, compressedLength(high, low, header.clusterBits), this.#times);
    const { active } = this.#use;
    this.statistics.allocated += active;
    this.statistics.compressed += active;
    // As QEMU has it: what is compressed is out of order by nature.
    this.statistics.fragmented += active;
  }

  #countStandard(position: number, high: number, low: number, offset: number, zeros: number, allocated: number): void {
    const { active } = this.#use;
    const hasNoData = this.#isExtended ? allocated === 0 : (low & 1) === 1;
    if ((zeros & allocated) !== 0)
      this.#broken(position, 'says of a subcluster that it is allocated and that it is zeros');
    if (offset % this.#clusterSize !== 0) {
      const why = `has its cluster at byte ${offset}, inside a cluster`;
      if (hasNoData) this.#broken(position, why);
      else this.#corrupt(position, why);
    }
    this.statistics.allocated += active;
    if (this.#expected !== 0 && this.#expected !== offset) this.statistics.fragmented += active;
    this.#expected = offset + this.#clusterSize;
    if (!this.#isExternal) this.#context.counter.add(dataCluster, offset, this.#clusterSize, this.#times);
    if (active > 0 && this.#use.offset !== 0) checkCopied(this.#context, dataCluster, offset, high, active);
  }

  #broken(position: number, why: string): void {
    this.#corrupt(position, why);
    if (this.brokenEntries.length < maximumBrokenCount) this.brokenEntries.push(this.#use.offset + position);
  }
}

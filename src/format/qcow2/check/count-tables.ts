import { throwIfAborted } from '../../disk-pieces.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import type { SnapshotEntry } from '../snapshots/snapshot-table.ts';
import { type CheckContext, checkCopied } from './check-context.ts';
import { ClusterCounts } from './cluster-counts.ts';
import { readPadded } from './read-padded.ts';

/** How often an L2 table is used. */
export interface TableUses {
  /** By the active L1 table. */
  readonly active: number;
  /** By those of snapshots. */
  readonly snapshots: number;
}

/** A table of the file and how often it is used: each is read once, however many snapshots share it. */
export interface TableUse extends TableUses {
  readonly offset: number;
}

const sliceLength = 2 ** 20;
const maximumL1Size = 2 ** 22;
/** So many places inside clusters are followed; more are not from a whole image. */
const maximumMisplacedCount = 1000;

/** The uses of all L2 tables, gathered from all L1 tables. */
export class TableUsage {
  readonly #active: ClusterCounts;
  readonly #snapshots: ClusterCounts;
  readonly #misplaced = new Map<number, TableUses>();
  readonly #clusterSize: number;

  constructor(clusterSize: number, name: string) {
    this.#active = new ClusterCounts(name);
    this.#snapshots = new ClusterCounts(name);
    this.#clusterSize = clusterSize;
  }

  /** How often the cluster at `offset` is used as an L2 table. */
  usesAt(offset: number): number {
    const cluster = offset / this.#clusterSize;
    return this.#active.get(cluster) + this.#snapshots.get(cluster);
  }

  /** False where it is one too many in impossible places. */
  add(offset: number, isActive: boolean, times: number): boolean {
    const counts = isActive ? this.#active : this.#snapshots;
    const cluster = offset / this.#clusterSize;
    if (Number.isInteger(cluster)) {
      counts.set(cluster, counts.get(cluster) + times);
      return true;
    }
    const { active, snapshots } = this.#misplaced.get(offset) ?? { active: 0, snapshots: 0 };
    const uses = isActive ? { active: active + times, snapshots } : { active, snapshots: snapshots + times };
    if (this.#misplaced.size < maximumMisplacedCount) this.#misplaced.set(offset, uses);
    return this.#misplaced.has(offset);
  }

  /** All tables in the order of the file, as far as its `clusterCount` clusters go. */
  *tables(clusterCount: number): Generator<TableUse, undefined> {
    for (const [offset, uses] of this.#misplaced) yield { offset, ...uses };
    for (const cluster of this.#active.nonZero(clusterCount)) {
      yield this.#use(cluster);
    }
    for (const cluster of this.#snapshots.nonZero(clusterCount)) {
      if (this.#active.get(cluster) === 0) yield this.#use(cluster);
    }
  }

  #use(cluster: number): TableUse {
    const [active, snapshots] = [this.#active.get(cluster), this.#snapshots.get(cluster)];
    return { offset: cluster * this.#clusterSize, active, snapshots };
  }
}

/** Counts all L1 tables and what they point to, and says which L2 tables there are. */
export async function countL1Tables(context: CheckContext, snapshots: readonly SnapshotEntry[]): Promise<TableUsage> {
  const { findings, header } = context;
  const usage = new TableUsage(2 ** header.clusterBits, context.name);
  await countL1Table(context, usage, { offset: header.l1TableOffset, size: header.l1Size, isActive: true, times: 1 });
  let totalLength = 0;
  for (const { entry, times } of distinctTables(snapshots)) {
    const { l1Size: size, l1TableOffset: offset } = entry;
    totalLength += size * 8;
    const isTooMuch = totalLength > context.file.size;
    const problem = isTooMuch ? 'L1 tables overlap' : snapshotProblem(entry, 2 ** header.clusterBits);
    if (problem === undefined) await countL1Table(context, usage, { offset, size, isActive: false, times });
    else findings.hide(`snapshot ${JSON.stringify(entry.name)}: ${problem}`);
  }
  return usage;
}

/** The snapshots, those with the same L1 table once. */
function distinctTables(snapshots: readonly SnapshotEntry[]) {
  const found = new Map<string, { entry: SnapshotEntry; times: number }>();
  for (const entry of snapshots) {
    const key = `${entry.l1TableOffset} ${entry.l1Size}`;
    found.set(key, { entry, times: (found.get(key)?.times ?? 0) + 1 });
  }
  return found.values();
}

function snapshotProblem({ l1Size, l1TableOffset }: SnapshotEntry, clusterSize: number): string | undefined {
  if (l1TableOffset % clusterSize !== 0) return `its L1 table cannot be at byte ${l1TableOffset}, inside a cluster`;
  if (l1Size > maximumL1Size) return `its L1 table has ${l1Size} entries, and may have ${maximumL1Size}`;
  return undefined;
}

interface L1Table {
  readonly offset: number;
  /** Entries, not bytes. */
  readonly size: number;
  readonly isActive: boolean;
  readonly times: number;
}

async function countL1Table(context: CheckContext, usage: TableUsage, table: L1Table): Promise<void> {
  const { counter, file, signal } = context;
  const length = table.size * 8;
  counter.add('an L1 table', table.offset, length, table.times);
  const available = Math.min(length, file.size - table.offset);
  for (let done = 0; done < available; done += sliceLength) {
    throwIfAborted(signal);
    const slice = await readPadded(file, table.offset + done, Math.min(sliceLength, length - done));
    for (let position = 0; position < slice.byteLength; position += 8) {
      const [high, low] = [slice.getUint32(position), slice.getUint32(position + 4)];
      if (high !== 0 || low !== 0) countL1Entry(context, usage, table, (done + position) / 8, high, low);
    }
  }
}

function countL1Entry(
  context: CheckContext,
  usage: TableUsage,
  { isActive, times }: L1Table,
  index: number,
  high: number,
  low: number,
): void {
  const { counter, findings, header } = context;
  const clusterSize = 2 ** header.clusterBits;
  const offset = hostOffsetOf(high, low);
  if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0) {
    findings.corrupt(() => `entry ${index} of an L1 table has reserved bits set`, times);
  }
  counter.add('an L2 table', offset, clusterSize, times);
  if (offset % clusterSize !== 0) {
    findings.corrupt(() => `the L2 table of L1 entry ${index} is at byte ${offset}, inside a cluster`, times);
  }
  if (isActive && offset !== 0) checkCopied(context, 'an L2 table', offset, high, times);
  if (!usage.add(offset, isActive, times)) findings.hidden ??= 'too many L2 tables are inside clusters';
}

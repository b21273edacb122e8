import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import type { CheckImageOptions, CheckReport } from '../../image-format.ts';
import { checkHeader, l2Coverage } from '../check-header.ts';
import type { Qcow2Header } from '../header.ts';
import { readHeader } from '../read-header.ts';
import type { CheckContext } from './check-context.ts';
import type { CheckedImage } from './checked-image.ts';
import { ClusterCounter } from './count-clusters.ts';
import { countExtensions, countSnapshotTable, isIncomplete } from './count-metadata.ts';
import { countL1Tables } from './count-tables.ts';
import { countRefcountStructures, readDiskRefcounts } from './disk-refcounts.ts';
import { Findings } from './findings.ts';
import { ReferenceCounter } from './reference-counter.ts';
import { completeSnapshots, markClean, repairEntries, repairReferences } from './repair-image.ts';

/**
 * Looks for what is wrong with a qcow2 image, and repairs it if asked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` where its header cannot be read, `READ_ONLY`, `NO_SPACE` in repairing
 */
export async function checkQcow2(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const found = await inspect(file, options);
  if (options.repair === undefined) return reportOf(found);
  const { findings } = found.context;
  if (findings.hidden !== undefined) return unrepaired(found, findings.hidden);
  const repaired = await repair(found, options.repair, options);
  if (repaired.context.findings.corruptions === 0) await markClean(repaired.context);
  const { corruptions, leaks } = repaired.context.findings;
  return {
    ...reportOf(repaired),
    corruptionsFixed: Math.max(0, findings.corruptions - corruptions),
    leaksFixed: Math.max(0, findings.leaks - leaks),
  };
}

/** What is wrong with the image once all is set right that can be. */
async function repair(found: CheckedImage, mode: 'leaks' | 'all', options: CheckImageOptions): Promise<CheckedImage> {
  const { file, findings, name } = found.context;
  if (findings.corruptions === 0 && findings.leaks === 0) return found;
  if (!file.supports.write) throw new VarveError('READ_ONLY', `cannot repair ${name}: it is open for reading only`);
  const hasOtherEntries = mode === 'all' && (await repairEntries(found));
  await repairReferences(hasOtherEntries ? await inspect(file, options) : found, mode);
  const repaired = await inspect(file, options);
  if (mode === 'leaks' || !repaired.hasIncompleteSnapshots) return repaired;
  await completeSnapshots(repaired.context);
  return inspect(file, options);
}

/** What may be in use must not be freed. */
function unrepaired(found: CheckedImage, why: string): CheckReport {
  const report = reportOf(found);
  return { ...report, problems: [`nothing is repaired: ${why}`, ...report.problems] };
}

/** One pass over all that refers to clusters. */
async function inspect(file: BlockDevice, options: CheckImageOptions): Promise<CheckedImage> {
  const header = await readHeader(file, options.name);
  checkHeader(header, file.size, options.name);
  const context = await contextOf(file, header, options);
  const { counter, findings, disk } = context;
  counter.add('the header', 0, 2 ** header.clusterBits);
  const snapshots = await countSnapshotTable(context);
  const usage = await countL1Tables(context, snapshots.entries);
  const clusters = new ClusterCounter(context);
  let done = 0;
  await clusters.countAll(usage, () => {
    done = Math.min(header.size, done + l2Coverage(header));
    options.onProgress?.(done);
  });
  await countExtensions(context);
  countRefcountStructures(header, disk, counter, findings);
  compareCounts(context);
  const hasIncompleteSnapshots = snapshots.entries.some((entry) => isIncomplete(entry, header));
  return { context, usage, clusters, hasIncompleteSnapshots };
}

async function contextOf(file: BlockDevice, header: Qcow2Header, options: CheckImageOptions): Promise<CheckContext> {
  const { name, signal } = options;
  const findings = new Findings();
  const { clusterBits, refcountOrder } = header;
  const counter = new ReferenceCounter({
    findings,
    name,
    fileSize: file.size,
    clusterSize: 2 ** clusterBits,
    refcountOrder,
  });
  const disk = await readDiskRefcounts(file, header, name, signal);
  return { file, header, name, findings, counter, disk, signal };
}

function compareCounts({ counter, disk, findings }: CheckContext): void {
  for (const cluster of counter.counts.differences(disk.counts, counter.clusterCount)) {
    if (disk.isUnknown(cluster)) continue;
    const [used, refcount] = [counter.counts.get(cluster), disk.counts.get(cluster)];
    const describe = (): string => `cluster ${cluster} has refcount ${refcount}, and is used ${used} times`;
    if (refcount < used) findings.corrupt(describe);
    else findings.leak(describe);
  }
}

function reportOf({ clusters, context }: CheckedImage): CheckReport {
  const { counter, disk, findings, header } = context;
  const clusterSize = 2 ** header.clusterBits;
  const last = Math.max(counter.counts.last(counter.clusterCount), disk.counts.last(counter.clusterCount));
  return {
    corruptions: findings.corruptions,
    leaks: findings.leaks,
    corruptionsFixed: 0,
    leaksFixed: 0,
    problems: findings.problems,
    clusters: { total: Math.ceil(header.size / clusterSize), ...clusters.statistics },
    imageEndOffset: (last + 1) * clusterSize,
  };
}

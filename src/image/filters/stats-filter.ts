import { formatSize } from '../../base/size.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DeviceOperation } from '../../filter/device-operation.ts';
import { ForwardingDevice } from '../../filter/forwarding-device.ts';
import { type DeviceStats, type OperationStats, statsFilter } from '../../filter/stats.ts';
import type { DiskFilter } from './filter-chain.ts';

/** `stats`: reports what was counted when the disk is closed. */
export function statsOver(): Pick<DiskFilter, 'apply'> {
  return {
    apply(device, { label, report }) {
      const counting = statsFilter(device);
      return new ReportingDevice(counting, () => report(statsText(label, counting.stats)));
    },
  };
}

class ReportingDevice extends ForwardingDevice {
  #report: (() => void) | undefined;

  constructor(device: BlockDevice, report: () => void) {
    super(device);
    this.#report = report;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#report?.();
    this.#report = undefined;
  }
}

const barLength = 40;

/** A line for each kind of request that was made, and below it how often it took how long. */
function statsText(label: string, stats: DeviceStats): string {
  const used = Object.entries(stats).filter(([, { count }]) => count > 0) as [DeviceOperation, OperationStats][];
  const blocks = used.map(([operation, each]) => [summaryOf(operation, each), ...histogramOf(each)].join('\n'));
  const title = `requests to ${label}:`;
  return [title, ...(blocks.length === 0 ? ['none'] : blocks)].join('\n');
}

function summaryOf(operation: DeviceOperation, { count, errorCount, latencies, totalLength }: OperationStats): string {
  const failed = errorCount === 0 ? '' : `, ${errorCount} failed`;
  const size = operation === 'flush' ? '' : `, ${formatSize(totalLength)}`;
  const times = `mean ${timeText(latencies.meanUs)}, 99 % below ${timeText(latencies.percentileUs(0.99))}`;
  return `${operation}: ${count}${failed}${size}${latencies.count === 0 ? '' : `, ${times}`}`;
}

function histogramOf({ latencies }: OperationStats): string[] {
  const counts = [...latencies.counts];
  const largest = Math.max(...counts);
  if (largest === 0) return [];
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return counts.slice(first, last + 1).map((count, index) => {
    const bar = '#'.repeat(Math.ceil((count / largest) * barLength));
    return `  < ${timeText(2 ** (first + index)).padEnd(8)} ${String(count).padStart(9)} ${bar}`.trimEnd();
  });
}

/** In the unit in which it has up to four digits. */
function timeText(us: number): string {
  if (us < 10_000) return `${Math.round(us)} µs`;
  return us < 10_000_000 ? `${Math.round(us / 1000)} ms` : `${Math.round(us / 1_000_000)} s`;
}

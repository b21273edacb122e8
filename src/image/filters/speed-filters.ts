import { cacheFilter } from '../../filter/cache.ts';
import { delayFilter } from '../../filter/delay.ts';
import { type DeviceOperation, deviceOperations } from '../../filter/device-operation.ts';
import { rateFilter } from '../../filter/rate.ts';
import { readAheadFilter } from '../../filter/read-ahead.ts';
import type { FilterArguments } from './filter-arguments.ts';
import type { DiskFilter } from './filter-chain.ts';

type Applied = Pick<DiskFilter, 'apply'>;

/** What is fetched as one where nothing else is asked for, in bytes. */
const usualBlock = 2 ** 16;

/** `cache=256M,block=64K` */
export function cacheOver(args: FilterArguments): Applied {
  const capacity = args.size(args.value());
  const blockSize = args.size(args.named('block'), 512) ?? usualBlock;
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize > 2 ** 25) {
    throw args.invalid('a block is a power of two from 512 bytes to 32M');
  }
  if (capacity !== undefined && capacity < blockSize) throw args.invalid('it has no room for a single block');
  return { apply: (device) => cacheFilter(device, { blockSize, capacity: capacity ?? Math.max(2 ** 26, blockSize) }) };
}

/** `readahead=4M` */
export function readAheadOver(args: FilterArguments): Applied {
  const window = args.size(args.value(), usualBlock) ?? 2 ** 22;
  if (window % usualBlock !== 0 || window > 2 ** 28) {
    throw args.invalid('what is read ahead is a multiple of 64K, and at most 256M');
  }
  return { apply: (device) => readAheadFilter(device, { window }) };
}

/** `delay=10ms`, `delay=read=10ms,write=20ms` */
export function delayOver(args: FilterArguments): Applied {
  const all = args.duration(args.value());
  const each: Partial<Record<DeviceOperation, number>> = {};
  for (const operation of deviceOperations) {
    const delayMs = args.duration(args.named(operation)) ?? all;
    if (delayMs !== undefined) each[operation] = delayMs;
  }
  const jitterMs = args.duration(args.named('jitter')) ?? 0;
  if (Object.keys(each).length === 0) throw args.invalid('no time is given');
  return { apply: (device) => delayFilter(device, { delayMs: each, jitterMs }) };
}

/** `rate=10M`, `rate=read=10M,write=1M` */
export function rateOver(args: FilterArguments): Applied {
  const [both, read, write] = [args.value(), args.named('read'), args.named('write')].map((text) => args.rate(text));
  if (both === undefined && read === undefined && write === undefined) throw args.invalid('no rate is given');
  return { apply: (device) => rateFilter(device, { both, read, write }) };
}

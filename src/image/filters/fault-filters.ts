import type { ErrorCode } from '../../base/varve-error.ts';
import { type DeviceOperation, deviceOperations } from '../../filter/device-operation.ts';
import { faultFilter } from '../../filter/fault.ts';
import { retryFilter } from '../../filter/retry.ts';
import type { FilterArguments } from './filter-arguments.ts';
import type { DiskFilter } from './filter-chain.ts';

type Applied = Pick<DiskFilter, 'apply'>;

/** The errors that an NBD client is told of by these names. */
const codes: Readonly<Record<string, ErrorCode>> = {
  EIO: 'IO',
  ENOSPC: 'NO_SPACE',
  EPERM: 'PERMISSION',
  EINVAL: 'OUT_OF_RANGE',
};

const operationsByName = Object.fromEntries(deviceOperations.map((each) => [each, each]));

/** `error=EIO:1%,on=read+write,after=10,times=3,seed=7` */
export function errorOver(args: FilterArguments): Applied {
  const [name, share, more] = args.required(args.value()).split(':');
  const code = args.choice(name, codes);
  const probability = args.share(share) ?? 1;
  if (code === undefined || more !== undefined) throw args.invalid('an error is given once');
  const operations = args
    .named('on')
    ?.split('+')
    .map((each) => args.choice(each, operationsByName)!);
  const after = args.count(args.named('after')) ?? 0;
  const times = args.count(args.named('times')) ?? Number.POSITIVE_INFINITY;
  const seed = args.count(args.named('seed')) ?? 0;
  const which: { operations?: readonly DeviceOperation[] } = operations === undefined ? {} : { operations };
  return { apply: (device) => faultFilter(device, { rules: [{ ...which, code, probability, after, times }], seed }) };
}

/** `retry=5,delay=1s,factor=2` */
export function retryOver(args: FilterArguments): Applied {
  const attempts = args.count(args.value()) ?? 5;
  const delayMs = args.duration(args.named('delay')) ?? 1000;
  const factor = args.count(args.named('factor'), 1) ?? 2;
  return { apply: (device) => retryFilter(device, { attempts, delayMs, factor }) };
}

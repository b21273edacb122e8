import { isVarveError } from '../../base/varve-error.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { type BlockRange, blockRangeOf, protectionOf } from '../../protocol/scsi/command-block.ts';
import { maximumUnmapDescriptors, maximumUnmapLength } from '../../protocol/scsi/inquiry.ts';
import { operationCodes as codes, serviceActions } from '../../protocol/scsi/operation-codes.ts';
import { decodeUnmapList, encodeBlockStatus, encodeCapacity16 } from '../../protocol/scsi/parameter-data.ts';
import { type Sense, senses } from '../../protocol/scsi/sense.ts';
import {
  check,
  type DiskUnit,
  deviceFailure,
  type Failure,
  good,
  type Outcome,
  type Plan,
  refuse,
  type Waiter,
} from './disk-unit.ts';
import { blockRuns, compareNow, compareThrough, fill, readThrough, unmapRanges } from './disk-walks.ts';

/** GET LBA STATUS tells of so many runs at most. */
const maximumRuns = 256;

type Handler = (unit: DiskUnit, cdb: DataView) => Plan;

const reading: readonly number[] = [codes.READ_6, codes.READ_10, codes.READ_12, codes.READ_16];
const writing: readonly number[] = [codes.WRITE_6, codes.WRITE_10, codes.WRITE_12, codes.WRITE_16];
const writingVerified: readonly number[] = [
  codes.WRITE_AND_VERIFY_10,
  codes.WRITE_AND_VERIFY_12,
  codes.WRITE_AND_VERIFY_16,
];
const verifying: readonly number[] = [codes.VERIFY_10, codes.VERIFY_12, codes.VERIFY_16];
const fetching: readonly number[] = [codes.PRE_FETCH_10, codes.PRE_FETCH_16];
const filling: readonly number[] = [codes.WRITE_SAME_10, codes.WRITE_SAME_16];
const synchronizing: readonly number[] = [codes.SYNCHRONIZE_CACHE_10, codes.SYNCHRONIZE_CACHE_16];

const handlers = new Map<number, Handler>([
  ...reading.map((code) => [code, planRead] as const),
  ...writing.map((code) => [code, planWrite] as const),
  ...writingVerified.map((code) => [code, planWriteVerified] as const),
  ...verifying.map((code) => [code, planVerify] as const),
  ...fetching.map((code) => [code, planFetch] as const),
  ...filling.map((code) => [code, planFill] as const),
  ...synchronizing.map((code) => [code, planSynchronize] as const),
  [codes.COMPARE_AND_WRITE, planCompareAndWrite],
  [codes.UNMAP, planUnmap],
  [codes.SERVICE_ACTION_IN_16, planServiceAction],
]);

const readers = new Set<number>([...reading, ...verifying, ...fetching]);
const writers = new Set<number>([...writing, ...writingVerified, ...filling, codes.COMPARE_AND_WRITE, codes.UNMAP]);

/** Whether a command tells what is on the disk, and changes nothing. */
export function readsBlocks(code: number): boolean {
  return readers.has(code);
}

/** Whether a command changes what is on the disk. */
export function writesBlocks(code: number): boolean {
  return writers.has(code);
}

/** Hot: what a command comes to that is about blocks. */
export function planBlockCommand(unit: DiskUnit, cdb: DataView): Plan {
  const code = cdb.getUint8(0);
  const handler = handlers.get(code);
  if (handler === undefined) return refuse(senses.invalidOperationCode);
  if (writers.has(code) && (unit.readOnly || unit.state.settings.writeProtect)) return refuse(senses.writeProtected);
  return handler(unit, cdb);
}

/** Hot: why a range cannot be; `undefined` where it can. */
function rangeProblem({ blockCount }: DiskUnit, { count, lba }: BlockRange): Sense | undefined {
  return lba + count > blockCount || lba >= blockCount + (count === 0 ? 1 : 0) ? senses.lbaOutOfRange : undefined;
}

/** Hot: why a transfer cannot be. */
function transferProblem(unit: DiskUnit, cdb: DataView, range: BlockRange): Sense | undefined {
  if (protectionOf(cdb) !== 0) return senses.invalidField;
  return (
    rangeProblem(unit, range) ?? (range.count * unit.blockSize > unit.maximumTransfer ? senses.invalidField : undefined)
  );
}

function planRead(unit: DiskUnit, cdb: DataView): Plan {
  const range = blockRangeOf(cdb);
  const problem = transferProblem(unit, cdb, range);
  if (problem !== undefined) return refuse(problem);
  if (range.count === 0) return good;
  return { kind: 'read', offset: range.lba * unit.blockSize, length: range.count * unit.blockSize };
}

function planWrite(unit: DiskUnit, cdb: DataView): Plan {
  const range = blockRangeOf(cdb);
  const problem = transferProblem(unit, cdb, range);
  if (problem !== undefined) return refuse(problem);
  if (range.count === 0) return good;
  const { blockSize } = unit;
  const offset = range.lba * blockSize;
  const isForced = cdb.getUint8(0) !== codes.WRITE_6 && (cdb.getUint8(1) & 0x08) !== 0;
  return { kind: 'take', length: range.count * blockSize, run: (data) => write(unit, data, offset, isForced) };
}

/** Hot: FUA and a switched-off cache mean that it is durable before it is answered. */
function write(unit: DiskUnit, data: Uint8Array, offset: number, isForced: boolean): MaybePromise<Outcome> {
  const { device } = unit;
  // The initiator had none of it.
  if (data.length === 0) return undefined;
  const flushes = isForced || !unit.state.settings.writeCache;
  try {
    const pending = device.write(data, offset);
    if (pending === undefined) return flushes ? settled(device.flush()) : undefined;
    return settled(flushes ? pending.then(() => device.flush()) : pending);
  } catch (error) {
    return deviceFailure(error, true);
  }
}

/** What a change of the disk ended with. */
function settled(pending: MaybePromise<void>): MaybePromise<Outcome> {
  return pending?.then(
    () => undefined,
    (error) => deviceFailure(error, true),
  );
}

function planWriteVerified(unit: DiskUnit, cdb: DataView): Plan {
  const range = blockRangeOf(cdb);
  const problem = transferProblem(unit, cdb, range) ?? byteCheckProblem(cdb);
  if (problem !== undefined) return refuse(problem);
  if (range.count === 0) return good;
  const offset = range.lba * unit.blockSize;
  return {
    kind: 'take',
    length: range.count * unit.blockSize,
    async run(data, waiter) {
      const written = await write(unit, data, offset, false);
      return written ?? (await compareThrough(unit, waiter, { data, offset, length: data.length }));
    },
  };
}

/** BYTCHK 0 looks whether it can be read, 1 compares all, 3 each block with one. */
function byteCheckProblem(cdb: DataView): Sense | undefined {
  return (cdb.getUint8(1) & 0x06) === 0x04 ? senses.invalidField : undefined;
}

function planVerify(unit: DiskUnit, cdb: DataView): Plan {
  const range = blockRangeOf(cdb);
  const byteCheck = (cdb.getUint8(1) >> 1) & 3;
  const problem =
    (byteCheck === 1 ? transferProblem(unit, cdb, range) : rangeProblem(unit, range)) ??
    byteCheckProblem(cdb) ??
    (protectionOf(cdb) !== 0 ? senses.invalidField : undefined);
  if (problem !== undefined) return refuse(problem);
  if (range.count === 0) return good;
  const { blockSize } = unit;
  const offset = range.lba * blockSize;
  const length = range.count * blockSize;
  if (byteCheck === 0) {
    if (length > maximumUnmapLength) return refuse(senses.invalidField);
    return { kind: 'run', run: (waiter) => readThrough(unit, waiter, offset, length) };
  }
  if (byteCheck === 1) {
    return {
      kind: 'take',
      length,
      run: (data, waiter) => compareThrough(unit, waiter, { data, offset, length: data.length }),
    };
  }
  if (length > unit.maximumTransfer) return refuse(senses.invalidField);
  return {
    kind: 'take',
    length: blockSize,
    run: (data, waiter) => (data.length < blockSize ? short() : compareThrough(unit, waiter, { data, offset, length })),
  };
}

function short(): Failure {
  return check(senses.invalidField);
}

function planFetch(unit: DiskUnit, cdb: DataView): Plan {
  const range = blockRangeOf(cdb);
  const problem = rangeProblem(unit, range);
  // All else is an invitation, and there is nothing to be won by it.
  return problem === undefined ? good : refuse(problem);
}

function planSynchronize(unit: DiskUnit, cdb: DataView): Plan {
  const problem = rangeProblem(unit, blockRangeOf(cdb));
  if (problem !== undefined) return refuse(problem);
  return {
    kind: 'run',
    run() {
      try {
        return settled(unit.device.flush());
      } catch (error) {
        return deviceFailure(error, true);
      }
    },
  };
}

function planCompareAndWrite(unit: DiskUnit, cdb: DataView): Plan {
  const range = { lba: blockRangeOf(cdb).lba, count: cdb.getUint8(13) };
  const problem = transferProblem(unit, cdb, range);
  if (problem !== undefined) return refuse(problem);
  const offset = range.lba * unit.blockSize;
  const length = range.count * unit.blockSize;
  const isForced = (cdb.getUint8(1) & 0x08) !== 0;
  return {
    kind: 'take',
    length: 2 * length,
    isExact: true,
    run(data) {
      if (data.length < 2 * length) return short();
      if (length === 0) return undefined;
      // One after the other: between comparing and writing no other may come.
      return unit.state.exclusively(async () => {
        const compared = await compareNow(unit, data.subarray(0, length), offset);
        return compared ?? (await write(unit, data.subarray(length), offset, isForced));
      });
    },
  };
}

function planUnmap(unit: DiskUnit, cdb: DataView): Plan {
  if ((cdb.getUint8(1) & 1) !== 0) return refuse(senses.invalidField);
  const length = cdb.getUint16(7);
  if (length === 0) return good;
  if (length < 8) return refuse(senses.parameterListLength);
  return { kind: 'take', length, run: (list, waiter) => unmap(unit, waiter, list) };
}

function unmap(unit: DiskUnit, waiter: Waiter, list: Uint8Array): MaybePromise<Outcome> {
  const ranges = rangesOf(unit, list);
  return Array.isArray(ranges) ? unmapRanges(unit, waiter, ranges) : check(ranges);
}

/** All are checked before the first is unmapped. */
function rangesOf(unit: DiskUnit, list: Uint8Array): BlockRange[] | Sense {
  try {
    const ranges = decodeUnmapList(list);
    if (ranges === undefined) return senses.parameterListLength;
    const total = ranges.reduce((sum, { count }) => sum + count, 0);
    if (ranges.length > maximumUnmapDescriptors || total * unit.blockSize > maximumUnmapLength) {
      return senses.invalidParameter;
    }
    return ranges.some((range) => rangeProblem(unit, range) !== undefined) ? senses.lbaOutOfRange : ranges;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return list.length < 8 ? senses.parameterListLength : senses.lbaOutOfRange;
    throw error;
  }
}

/** WRITE SAME: bit 3 UNMAP, bit 4 ANCHOR, bit 0 NDOB (16 only). No blocks are all up to the end. */
function planFill(unit: DiskUnit, cdb: DataView): Plan {
  const asked = blockRangeOf(cdb);
  const flags = cdb.getUint8(1);
  const hasNoData = cdb.getUint8(0) === codes.WRITE_SAME_16 && (flags & 0x01) !== 0;
  const unmaps = (flags & 0x08) !== 0;
  if ((flags & 0xf6) !== 0) return refuse(senses.invalidField);
  const range = asked.count === 0 ? { lba: asked.lba, count: Math.max(unit.blockCount - asked.lba, 0) } : asked;
  const problem = rangeProblem(unit, range);
  if (problem !== undefined) return refuse(problem);
  const offset = range.lba * unit.blockSize;
  const length = range.count * unit.blockSize;
  if (length > unit.maximumTransfer || (unmaps && !unit.isThin)) return refuse(senses.invalidField);
  if (hasNoData) {
    return { kind: 'run', run: (waiter) => fill(unit, waiter, { block: undefined, offset, length }) };
  }
  return {
    kind: 'take',
    length: unit.blockSize,
    isExact: true,
    run(block, waiter) {
      if (block.length < unit.blockSize) return short();
      return fill(unit, waiter, { block: isZero(block) ? undefined : block, offset, length });
    },
  };
}

function planServiceAction(unit: DiskUnit, cdb: DataView): Plan {
  const action = cdb.getUint8(1) & 0x1f;
  const allocationLength = cdb.getUint32(10);
  if (action === serviceActions.READ_CAPACITY_16) {
    return { kind: 'answer', bytes: encodeCapacity16(unit).subarray(0, allocationLength) };
  }
  if (action !== serviceActions.GET_LBA_STATUS) return refuse(senses.invalidField);
  const { lba } = blockRangeOf(cdb);
  if (lba >= unit.blockCount) return refuse(senses.lbaOutOfRange);
  return { kind: 'run', run: () => blockStatus(unit, lba, allocationLength) };
}

async function blockStatus(unit: DiskUnit, lba: number, allocationLength: number): Promise<Outcome | Uint8Array> {
  const count = Math.max(1, Math.min(maximumRuns, Math.floor((allocationLength - 8) / 16)));
  const runs = await blockRuns(unit, lba, count);
  return Array.isArray(runs) ? encodeBlockStatus(runs).subarray(0, allocationLength) : runs;
}
